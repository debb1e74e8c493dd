# SPDX-License-Identifier: GPL-2.0-only
#
# The includes of C sources that break the rule of which folder may include
# what.  Run in the root of the repo, from which they all are to be written.

function may_include(file, what)
{
	if (file ~ /^virtio-fastpath\//)
		return what ~ /^virtio-fastpath\//
	if (file ~ /^nic-shim\//)
		return what ~ /^nic-shim\//
	if (file ~ /^kvm-twin\//)
		return what ~ /^kvm-twin\// || \
		       what == "virtio-fastpath/vfp.h" || \
		       what == "nic-shim/nshim.h"
	if (file ~ /^kselftest\/ring\// && what ~ /^virtio-fastpath\//)
		return 1
	if (file ~ /^scripts\/perf\// && what ~ /^scripts\/perf\//)
		return 1
	return what ~ /^(kselftest|kvm-twin\/uapi)\//
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	if ((getline line <part[2]) < 0)
		print FILENAME ":" FNR ": not from the root of the repo: " part[2]
	else if (!may_include(FILENAME, part[2]))
		print FILENAME ":" FNR ": may not include " part[2]
	close(part[2])
}

/^[ \t]*#[ \t]*include[ \t]*</ && FILENAME !~ /^(kselftest|scripts)\// {
	split($0, part, /[<>]/)
	if (part[2] !~ /^(linux|uapi|asm|asm-generic|net|trace)\//)
		print FILENAME ":" FNR ": not a header of the kernel: " part[2]
}
