# SPDX-License-Identifier: GPL-2.0-only
# Shared by the scripts in this folder: where things are kept, how to say what
# is going on, how to install a package by name.  Source it, do not run it.
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kvm-twin

# The kernels that the module is kept working on, oldest first.  Each name is
# also the name of a root below $cache/roots, made by scripts/lab/root.
kernels=(6.1 6.12 newest)

# is_kernel NAME  -- is it one of them?
is_kernel() { [[ " ${kernels[*]} " == *" $1 "* ]]; }

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
die() { say "error: $*"; exit 1; }

# What a script says of itself at its head.
usage() {
	sed -n '/^# SPDX/d; 2,/^[^#]/ { s/^# \{0,1\}//p; s/^#$//p; }' "$0" |
		sed '/./,$!d'
}

# One at a time.
install_packages() {
	[ "$(id -u)" -eq 0 ] || die "please install: $*"
	(
		flock 9
		say "installing $*"
		{
			apt-get update -q &&
			DEBIAN_FRONTEND=noninteractive apt-get install -qy \
				-o DPkg::Lock::Timeout=300 --no-install-recommends "$@"
		} >"$cache/apt.log" 2>&1 </dev/null ||
			die "apt-get failed, see $cache/apt.log"
	) 9>"$cache/apt.lock" || exit 1
}

# need WHAT:PACKAGE...  -- install the packages of which a command, or a file with this
# path, is missing.
need() {
	local item missing=()

	for item in "$@"; do
		command -v "${item%%:*}" >/dev/null || [ -e "${item%%:*}" ] ||
			missing+=("${item#*:}")
	done
	[ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# gcc works without the C library's headers, and does not depend on them.
to_compile=(gcc:gcc /usr/include/dirent.h:libc6-dev)

# The mirror that this machine itself uses, whatever its release.
mirror() {
	apt-get indextargets --format '$(SITE)' 'Origin: Debian' |
		grep -v -e security -e '^cdrom' | sort -u | head -n 1
}

# once NAME COMMAND...  -- run COMMAND unless $cache/NAME.done says that it ran;
# of several callers at a time one does the work and the others wait for it.
once() {
	local name=$1
	shift
	mkdir -p "$cache/$(dirname "$name")"
	(
		flock 9
		[ -e "$cache/$name.done" ] && exit 0
		"$@" && touch "$cache/$name.done"
	) 9>"$cache/$name.lock"
}

mkdir -p "$cache"
