# SPDX-License-Identifier: ISC
# qubesctl state.apply postern: verifies the image, makes the firewall qube. Moves nobody behind it.
{% from 'postern/map.jinja' import postern, kernel, folder with context %}

postern-image:
  cmd.run:
    - name: sh /srv/salt/postern/verify.sh {{ folder }} {{ postern.keyring }}
    - stateful: True

postern-qube:
  qvm.vm:
    - name: {{ postern.name }}
    - present:
      - class: StandaloneVM
      - label: {{ postern.label }}
    - prefs:
      - virt-mode: pvh
      - kernel: {{ kernel }}
      - kernelopts: ''
      - memory: {{ postern.memory }}
      - maxmem: {{ postern.memory }}
      - vcpus: 1
      - netvm: {{ postern.netvm }}
      - audiovm: ''
      - provides-network: true
      - include-in-backups: false
      - autostart: {{ postern.autostart | lower }}
    - features:
      - enable:
        - qubes-firewall
        - no-default-kernelopts
        - skip-update
{%- if postern.qrexec %}
        - qrexec
{%- endif %}
      - disable:
        - service.meminfo-writer
{%- if not postern.qrexec %}
        - qrexec
{%- endif %}
    - require:
      - cmd: postern-image
