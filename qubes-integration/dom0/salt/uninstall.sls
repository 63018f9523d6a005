# SPDX-License-Identifier: ISC
# qubesctl state.apply postern.uninstall: everybody back, the qube stopped and removed. An image that
# came as a package stays until `dnf remove` says so.
{% from 'postern/map.jinja' import postern, folder with context %}

include:
  - postern.rollback

postern-stopped:
  cmd.run:
    - name: qvm-shutdown --wait {{ postern.name }}
    - onlyif: qvm-check --quiet --running {{ postern.name }}
    - require:
      - cmd: postern-nobody-behind

postern-removed:
  qvm.absent:
    - name: {{ postern.name }}
    - require:
      - cmd: postern-stopped

postern-image-removed:
  file.absent:
    - name: {{ folder }}
    - unless: rpm -qf {{ folder }}
    - require:
      - qvm: postern-removed
