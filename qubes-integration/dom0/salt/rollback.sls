# SPDX-License-Identifier: ISC
# qubesctl state.apply postern.rollback: every qube behind it goes back to postern:previous, running or not; so does
# default_netvm, and those that follow it stay followers.
{% from 'postern/map.jinja' import postern with context %}
{%- set behind = "qvm-ls --raw-data --fields NAME,NETVM | cut -d'|' -f2 | grep -qx " ~ postern.name %}
# a running qube is only given a network qube that runs
postern-previous-runs:
  cmd.run:
    - name: qvm-start --skip-if-running {{ postern.previous }}
    - onlyif: {{ behind }}
    - unless: qvm-check --quiet --running {{ postern.previous }}

postern-default-back:
  cmd.run:
    - name: qubes-prefs default_netvm {{ postern.previous }}
    - onlyif: test "$(qubes-prefs default_netvm)" = {{ postern.name }}
    - require:
      - cmd: postern-previous-runs
{% for line in salt['cmd.shell']('qvm-ls --raw-data --fields NAME,NETVM').splitlines() %}
{%- set words = line.split('|') %}
{%- if words | length == 2 and words[1] == postern.name %}
postern-back-{{ words[0] }}:
  qvm.prefs:
    - name: {{ words[0] }}
    - netvm: {{ postern.netvm if words[0] == postern.previous else postern.previous }}
    - onlyif: test "$(qvm-prefs {{ words[0] }} netvm)" = {{ postern.name }}
    - require:
      - cmd: postern-default-back
{% endif %}
{%- endfor %}
postern-nobody-behind:
  cmd.run:
    - name: "echo 'qubes are still behind {{ postern.name }}'; false"
    # nothing to do when there is none
    - onlyif: {{ behind }}
