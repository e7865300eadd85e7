#!/bin/bash
# Brings the programs that the tests and the quickstart run into a cache of their own, at pinned versions:
# containerd (Debian's and 2.3), runc (Debian's and 1.4), CNI plugins, crictl, CRIU, a registry and a static busybox.
#
# Nothing that the machine already runs is touched: Debian packages are unpacked, not installed. Only
# iptables, iproute2, libseccomp2 and curl are installed when they are missing, since CNI plugins and runc
# look for them in the system's own places.
#
# With the argument `critest` it brings the conformance tests of CRI too, which are built from crictl's module, with
# `kubelet` a kubelet, both some minutes to build, and with `criu` what checkpoints need.
#
# Silent when all is there. `tools.env` in the cache says where each program is, `missing` which ones could
# not be had and why. Ends with 0 unless no containerd could be had at all.
set -uo pipefail

containerd_version=2.3.7
crictl_version=1.36.0
cni_version=1.9.1
runc_version=1.4.3
kubelet_version=1.37.2
criu_version=4.1.1-1 criu_release=trixie
debian_packages='containerd runc containernetworking-plugins docker-registry busybox-static'

cache=${CRISTAL_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/cristal}
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9 # a second run waits here, then finds everything done

arch=$(dpkg --print-architecture 2>/dev/null || uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-none}")
debian=$cache/debian-$codename
containerd2=$cache/containerd-$containerd_version
crictl=$cache/crictl-$crictl_version
critest=$cache/critest-$crictl_version
cni=$cache/cni-plugins-$cni_version
runc=$cache/runc-$runc_version
kubelet=$cache/kubelet-$kubelet_version
criu=$cache/criu-$criu_version
log=$cache/tools.log
missing=$cache/missing.new
: >"$log" && : >"$missing"

say() { echo "tools: $*"; }
# lack TOOL REASON: notes a tool that could not be had.
lack() { echo "$1: $2" >>"$missing" && say "no $1: $2"; }

# into DIR FUNCTION: runs FUNCTION with an empty directory as $1, which becomes DIR if it succeeds.
into() {
  local target=$1 make=$2 work
  [ -d "$target" ] && return 0
  work=$(mktemp -d "$cache/.work.XXXXXX") || return 1
  chmod 755 "$work"
  if ("$make" "$work") >>"$log" 2>&1; then
    mv -T "$work" "$target"
  else
    chmod -R u+w "$work" && rm -rf "$work"
    return 1
  fi
}

apt_updated=no
apt_update() {
  [ "$apt_updated" = yes ] && return 0
  apt_updated=yes
  say 'apt-get update'
  apt-get update -q >>"$log" 2>&1
}

install_system_packages() {
  local wanted=''
  command -v iptables >/dev/null || wanted="$wanted iptables"
  command -v ip >/dev/null || wanted="$wanted iproute2"
  ldconfig -p | grep -q 'libseccomp\.so\.2' || wanted="$wanted libseccomp2"
  # Without Go the releases are downloaded.
  command -v go >/dev/null || command -v curl >/dev/null || wanted="$wanted curl ca-certificates"
  [ -n "$wanted" ] || return 0
  say "apt-get install$wanted"
  # The lists may be older than the mirror, so a refused install is tried once more after an update.
  # shellcheck disable=SC2086
  apt_install $wanted || { apt_update && apt_install $wanted; } || lack "${wanted# }" 'apt-get install failed'
}
apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1
}

make_debian() {
  # shellcheck disable=SC2086
  unpack_debian "$1" $debian_packages
}

# unpack_debian DIR PACKAGE...: the download runs as root, because apt's own user may not write into a private cache.
unpack_debian() {
  local target=$1 downloads=$1/downloads package
  shift
  mkdir "$downloads" && cd "$downloads" || return 1
  apt-get -q -o APT::Sandbox::User=root download "$@" || return 1
  for package in *.deb; do dpkg -x "$package" "$target" || return 1; done
  rm -r "$downloads"
}

# go_build DIR MODULE VERSION LDFLAGS PACKAGE...: builds commands of a module.
go_build() {
  local out=$1 module=$2 version=$3 flags=$4
  shift 4
  go_in "$module" "$version" build -ldflags "-s -w $flags" -o "$out/" "${@/#/$module/}"
}

# go_in MODULE VERSION ARGUMENT...: runs go in a module of our own that requires this one, because
# `go install MODULE@VERSION` refuses modules with replace or exclude lines.
go_in() {
  local module=$1 version=$2 source
  shift 2
  command -v go >/dev/null || return 1
  source=$(mktemp -d "$cache/.work.XXXXXX") || return 1
  (
    cd "$source" && export CGO_ENABLED="${CGO_ENABLED:-0}" GOFLAGS='-mod=mod -buildvcs=false -trimpath' &&
      go mod init tools && go get "$module@v$version" && timeout 1200 go "$@"
  )
  local status=$?
  rm -rf "$source"
  return $status
}

# fetch URL CHECKSUM-URL DIR: unpacks a release archive after comparing it with its published checksum.
fetch() {
  local archive=$3/.archive sum
  curl -fsSL --connect-timeout 10 --retry 2 -o "$archive" "$1" || return 1
  sum=$(curl -fsSL --connect-timeout 10 "$2" | cut -d' ' -f1) || return 1
  echo "$sum  $archive" | sha256sum -c - && tar -xzf "$archive" -C "$3" && rm "$archive"
}
github=https://github.com

make_containerd2() {
  local module=github.com/containerd/containerd/v2
  mkdir "$1/bin" || return 1
  go_build "$1/bin" $module $containerd_version "-X $module/version.Version=v$containerd_version" \
    cmd/containerd cmd/containerd-shim-runc-v2 cmd/ctr && return 0
  local url=$github/containerd/containerd/releases/download/v$containerd_version/containerd-$containerd_version-linux-$arch.tar.gz
  fetch "$url" "$url.sha256sum" "$1"
}
make_crictl() {
  local module=sigs.k8s.io/cri-tools
  go_build "$1" $module $crictl_version "-X $module/pkg/version.Version=v$crictl_version" cmd/crictl && return 0
  local url=$github/kubernetes-sigs/cri-tools/releases/download/v$crictl_version/crictl-v$crictl_version-linux-$arch.tar.gz
  fetch "$url" "$url.sha256" "$1"
}
# A Go test that is a program of its own.
make_critest() {
  local module=sigs.k8s.io/cri-tools
  go_in $module $crictl_version test -c -ldflags "-s -w -X $module/pkg/version.Version=v$crictl_version" \
    -o "$1/critest" $module/cmd/critest && return 0
  local url=$github/kubernetes-sigs/cri-tools/releases/download/v$crictl_version/critest-v$crictl_version-linux-$arch.tar.gz
  fetch "$url" "$url.sha256" "$1"
}
make_cni() {
  go_build "$1" github.com/containernetworking/plugins $cni_version '' plugins/main/bridge plugins/main/loopback \
    plugins/ipam/host-local plugins/meta/portmap plugins/meta/bandwidth && return 0
  local url=$github/containernetworking/plugins/releases/download/v$cni_version/cni-plugins-linux-$arch-v$cni_version.tgz
  fetch "$url" "$url.sha256" "$1"
}

# The kubelet's module takes its siblings from its own repository, so each is replaced by the published one.
make_kubelet() {
  build_kubelet "$1" && return 0
  local url=https://dl.k8s.io/v$kubelet_version/bin/linux/$arch/kubelet
  curl -fsSL --connect-timeout 10 --retry 2 -o "$1/kubelet" "$url" &&
    echo "$(curl -fsSL --connect-timeout 10 "$url.sha256")  $1/kubelet" | sha256sum -c - && chmod 755 "$1/kubelet"
}
build_kubelet() {
  local module=k8s.io/kubernetes source status
  local variable=k8s.io/component-base/version
  command -v go >/dev/null || return 1
  source=$(mktemp -d "$cache/.work.XXXXXX") || return 1
  (
    cd "$source" && export CGO_ENABLED=0 GOFLAGS='-mod=mod -buildvcs=false -trimpath' && go mod init tools || exit 1
    files=$(go mod download -json "$module@v$kubelet_version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    edits=("-require=$module@v$kubelet_version")
    for sibling in $(sed -n 's#^\t\(k8s.io/[a-z-]*\) => ./staging/.*#\1#p' "$files/go.mod"); do
      edits+=("-replace=$sibling=$sibling@v0.${kubelet_version#*.}")
    done
    go mod edit "${edits[@]}" &&
      timeout 1200 go build -ldflags "-s -w -X $variable.gitVersion=v$kubelet_version" -o "$1/kubelet" "$module/cmd/kubelet"
  )
  status=$?
  rm -rf "$source"
  return $status
}

# Debian's runc 1.1 knows neither id-mapped nor recursively read-only mounts. This one is static, as the releases of
# runc are, with seccomp from the archive of Debian's libseccomp-dev.
make_runc() {
  local module=github.com/opencontainers/runc url=$github/opencontainers/runc/releases/download/v$runc_version
  build_runc "$1" $module && return 0
  curl -fsSL --connect-timeout 10 --retry 2 -o "$1/runc" "$url/runc.$arch" &&
    curl -fsSL --connect-timeout 10 -o "$1/sums" "$url/runc.sha256sum" &&
    echo "$(sed -n "s/ .*runc\.$arch\$//p" "$1/sums")  $1/runc" | sha256sum -c - &&
    rm "$1/sums" && chmod 755 "$1/runc"
}
build_runc() {
  local out=$1/runc module=$2 seccomp=$1/seccomp
  mkdir "$seccomp" && unpack_debian "$seccomp" libseccomp-dev || return 1
  export CGO_ENABLED=1 PKG_CONFIG_SYSROOT_DIR=$seccomp PKG_CONFIG_PATH
  PKG_CONFIG_PATH=$(dirname "$(find "$seccomp/usr" -name libseccomp.pc)")
  # Go's cache does not look at what pkg-config says, and would link what was compiled for another place.
  export CGO_LDFLAGS=-L${PKG_CONFIG_PATH%/pkgconfig}
  go_in "$module" "$runc_version" build -tags 'seccomp netgo osusergo' \
    -ldflags "-s -w -linkmode external -extldflags -static -X main.version=$runc_version" -o "$out" "$module" &&
    rm -r "$seccomp"
}

# CRIU of a later Debian, since the one of Debian 12 fails on new kernels. All of its libraries come with it, the C
# library too, from a package list of its own; a wrapper starts it with them.
make_criu() {
  local work=$1/apt downloads=$1/apt/archives package
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg
  mkdir -p "$work/lists/partial" "$downloads/partial" "$1/bin" && : >"$work/status" &&
    echo "deb [signed-by=$keys] http://deb.debian.org/debian $criu_release main" >"$work/sources.list" || return 1
  local options=(-q -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State=$work" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work" -o APT::Sandbox::User=root
    -o Debug::NoLocking=true -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
  apt-get "${options[@]}" update &&
    apt-get "${options[@]}" install -y --no-install-recommends --download-only "criu=$criu_version" || return 1
  for package in "$downloads"/*.deb; do dpkg -x "$package" "$1" || return 1; done
  rm -r "$work"
  cat >"$1/bin/criu" <<'WRAPPER'
#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")
libraries=$(echo "$root"/usr/lib/*-linux-gnu)
loader=$(echo "$libraries"/ld-linux*)
exec "$loader" --library-path "$libraries" "$root/usr/sbin/criu" "$@"
WRAPPER
  chmod 755 "$1/bin/criu" && "$1/bin/criu" --version
}

# bring DIR FUNCTION TOOL WHAT: says what is about to happen, unless there is nothing to do.
bring() {
  [ -d "$1" ] && return 0
  say "$4 (into $1)"
  into "$1" "$2" && return 0
  lack "$3" "could be neither built with go nor downloaded; see $log"
  return 1
}

rm -rf "$cache"/.work.* # of a run that was killed; the lock says that none is alive
if [ "$(id -u)" = 0 ]; then install_system_packages; fi

if [ ! -d "$debian" ]; then
  say "unpacking Debian's $debian_packages (into $debian)"
  into "$debian" make_debian || { apt_update && into "$debian" make_debian; } ||
    lack 'debian-packages' "apt-get download failed; see $log"
fi
bring "$containerd2" make_containerd2 "containerd-$containerd_version" "building containerd $containerd_version, some minutes"
bring "$runc" make_runc "runc-$runc_version" "building runc $runc_version"
bring "$cni" make_cni "cni-plugins-$cni_version" "building the CNI plugins $cni_version"
if crictl_path=$(command -v crictl); then
  crictl=$(dirname "$crictl_path")
else
  bring "$crictl" make_crictl "crictl-$crictl_version" "building crictl $crictl_version"
fi
for wanted in "$@"; do
  case $wanted in
    critest) bring "$critest" make_critest "critest-$crictl_version" "building critest $crictl_version" ;;
    kubelet) bring "$kubelet" make_kubelet "kubelet-$kubelet_version" "building the kubelet $kubelet_version, some minutes" ;;
    criu)
      [ -d "$criu" ] || say "unpacking CRIU $criu_version of Debian $criu_release (into $criu)"
      into "$criu" make_criu || lack "criu-$criu_version" "could not be had from Debian $criu_release; see $log"
      ;;
  esac
done

# where NAME PATH: a line of tools.env, if the program is really there.
where() { [ -e "$2" ] && echo "$1=$2"; }
{
  where CONTAINERD_DEBIAN "$debian/usr/bin"
  where CONTAINERD_2 "$containerd2/bin"
  where RUNC "$debian/usr/sbin/runc"
  where RUNC_NEW "$runc/runc"
  where CNI_DEBIAN "$debian/usr/lib/cni"
  where CNI "$cni"
  where CRICTL "$crictl/crictl"
  where CRITEST "$critest/critest"
  where KUBELET "$kubelet/kubelet"
  where CRIU "$criu/bin/criu"
  where REGISTRY "$debian/usr/bin/docker-registry"
  where BUSYBOX "$debian/bin/busybox"
} >"$cache/tools.env.new"
mv "$cache/tools.env.new" "$cache/tools.env"
mv "$missing" "$cache/missing"
grep -q '^CONTAINERD_' "$cache/tools.env"
