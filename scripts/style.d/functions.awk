# SPDX-License-Identifier: GPL-2.0-only
#
# The functions that are defined in C sources, one a line, separated by tabs:
# FILE:LINE, name, lines of the body, 'static' or 'shared', and what stands
# before it: 'bare', or a kernel-doc block: 'doc', with Context: 'context'.
#
# A function's braces are where the kernel's style has them: in column 1.
BEGIN		{ OFS = "\t" }
FNR == 1	{ signature = doc = ""; comment = body = 0 }

body && /^}/ {
	print where, name, lines, linkage, doc ? doc : "bare"
	body = 0
	doc = ""
}
body		{ lines++; next }

/^\/\*/		{ comment = 1; signature = "" }
/^\/\*\*/	{ doc = "doc" }
comment && doc && /Context:/	{ doc = "context" }
comment		{ comment = !/\*\//; next }

/^#/ {
	while (/\\$/ && getline)
		;
	signature = ""
	next
}

/^{/ && signature ~ /\(/ {
	name = signature
	sub(/__printf\([^)]*\)/, "", name)
	sub(/\(.*/, "", name)
	sub(/.*[ \t*]/, "", name)
	linkage = signature ~ /^static/ ? "static" : "shared"
	body = 1
	lines = 0
	next
}

/^$/		{ signature = ""; next }
signature == ""	{ where = FILENAME ":" FNR }
		{ signature = signature $0 " " }
/[;}]$/		{ signature = doc = "" }
