# SPDX-License-Identifier: GPL-2.0-only
# Shared by scripts/lab/guest and scripts/lab/run: how a kernel and an initramfs
# are made from what a root holds.  Source it after ../lib.sh.
# shellcheck shell=bash

# version_of ROOT  -- the version of the one kernel that is installed in ROOT.
version_of() {
	local found=("$1"/lib/modules/*)

	[ ${#found[@]} -eq 1 ] && [ -d "${found[0]}" ] ||
		die "expected one kernel in $1/lib/modules"
	echo "${found[0]##*/}"
}

# add_modules ROOT VERSION TREE MODULE...  -- put the modules and what they
# depend on into TREE/modules, uncompressed, and list them in TREE/modules.list
# in the order they must be loaded in.
add_modules() {
	local root=$1 version=$2 tree=$3 verb path name
	shift 3

	mkdir -p "$tree/modules"
	while read -r verb path; do
		[ "$verb" = insmod ] || continue
		path=${path%% *}
		name=${path##*/}
		name=${name%%.ko*}.ko
		[ ! -e "$tree/modules/$name" ] || continue
		case $path in
		*.xz)	xz -dc "$root$path" ;;
		*)	cat "$root$path" ;;
		esac >"$tree/modules/$name"
		echo "$name" >>"$tree/modules.list"
	done < <(chroot "$root" modprobe -S "$version" -a --show-depends "$@" 2>/dev/null)
	[ -s "$tree/modules.list" ]
}

# add_program ROOT TREE PATH...  -- put programs and their shared libraries in.
add_program() {
	local root=$1 tree=$2 path lib
	shift 2

	for path in "$@"; do
		install -D -t "$tree/bin" "$root$path"
		while read -r lib; do
			[ -e "$tree$lib" ] || install -D "$root$lib" "$tree$lib"
		done < <(chroot "$root" ldd "$path" 2>/dev/null | grep -o '/[^ ]*')
	done
}

# pack TREE FILE  -- the archive is left uncompressed: the emulated processor
# takes longer to decompress it than the emulated machine takes to load it.
pack() {
	(cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) >"$2"
}

# unpack_kernel ROOT VERSION FILE  -- the kernel as an ELF file, which QEMU boots
# through its PVH entry.  For an emulated processor within an emulated one that
# saves the seconds that decompression and the switch from real mode take.
unpack_kernel() {
	local image=$1/boot/vmlinuz-$2 at magic

	for magic in 'xz:\xfd7zXZ\x00' 'zstd:\x28\xb5\x2f\xfd'; do
		while read -r at; do
			# Something follows the archive: only the content tells.
			tail -c +$((at + 1)) "$image" |
				"${magic%%:*}" -qdc >"$3" 2>/dev/null || true
			[ "$(head -c 4 "$3" | tail -c 3)" != ELF ] || return 0
		done < <(LC_ALL=C grep -abo -P "${magic#*:}" "$image" |
			LC_ALL=C cut -d : -f 1)
	done
	say "no kernel was found in $image"
	return 1
}

# kernel_of ROOT VERSION  -- the path of the unpacked kernel, made once.
kernel_of() {
	need xz:xz-utils zstd:zstd
	once "vmlinux/$2" unpack_kernel "$1" "$2" "$cache/vmlinux/$2" >&2
	echo "$cache/vmlinux/$2"
}
