# SPDX-License-Identifier: ISC
# Names functions of more than 60 lines and files of more than 500: a report, never a failure.
# A function runs from a line that is only "{" to the line that is only "}".
FNR == 1 { close_file(); file = FILENAME; open = 0; head = "" }
/^[a-z].*\(/ { head = $0; sub(/\(.*/, "", head); sub(/.*[ *]/, "", head) }
/^\{$/ { open = FNR }
/^\}$/ && open {
	if (FNR - open - 1 > 60)
		printf "    %s:%d: %s has %d lines\n", FILENAME, open, head, FNR - open - 1
	open = 0
}
{ last = FNR }
END { close_file() }
function close_file() { if (file != "" && last > 500) printf "    %s has %d lines\n", file, last }
