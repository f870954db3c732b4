# Makes the first file system of a virtual machine: a shell, the modules that reach this machine's
# files, and the script that goes on from there.
# Arguments: folder that a kernel package was unpacked to, kernel's release, folder to work in,
# the script, the resulting file.
set -eu
package=$1 release=$2 root=$3 script=$4 result=$5
rm -rf "$root"
mkdir -p "$root/bin" "$root/lib/modules/$release"
for folder in proc sys dev lower upper mnt; do mkdir "$root/$folder"; done
cp /bin/busybox "$root/bin"
cp "$script" "$root/init"
chmod +x "$root/init"
depmod -b "$package" "$release"
cp "$package/lib/modules/$release"/modules.* "$root/lib/modules/$release"
for module in virtio_pci 9p 9pnet_virtio overlay; do
    modprobe -d "$package" -S "$release" --show-depends "$module"
done | sed -n "s|^insmod $package/\([^ ]*\).*|\1|p" | sort -u | while read -r file; do
    mkdir -p "$root/$(dirname "$file")"
    cp "$package/$file" "$root/$file"
done
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$result"
