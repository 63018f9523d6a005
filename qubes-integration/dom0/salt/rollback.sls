# SPDX-License-Identifier: ISC
# qubesctl state.apply postern.rollback: every qube behind it goes back to postern:previous, running or not.
{% from 'postern/map.jinja' import postern with context %}
{% for line in salt['cmd.shell']('qvm-ls --raw-data --fields NAME,NETVM').splitlines() %}
{%- set words = line.split('|') %}
{%- if words | length == 2 and words[1] == postern.name %}
postern-back-{{ words[0] }}:
  qvm.prefs:
    - name: {{ words[0] }}
    - netvm: {{ postern.previous }}
{% endif %}
{%- endfor %}
postern-nobody-behind:
  cmd.run:
    - name: "echo 'qubes are still behind {{ postern.name }}'; false"
    # nothing to do when there is none
    - onlyif: qvm-ls --raw-data --fields NAME,NETVM | cut -d'|' -f2 | grep -qx {{ postern.name }}
