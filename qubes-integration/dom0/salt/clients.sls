# SPDX-License-Identifier: ISC
# qubesctl state.apply postern.clients: puts the qubes named in postern:clients behind it.
{% from 'postern/map.jinja' import postern with context %}

include:
  - postern
{% for client in postern.clients %}
postern-client-{{ client }}:
  qvm.prefs:
    - name: {{ client }}
    - netvm: {{ postern.name }}
    - require:
      - qvm: postern-qube
{% endfor %}
