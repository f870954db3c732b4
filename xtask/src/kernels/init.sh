#!/bin/busybox sh
# First process of the virtual machine: this machine's files, read only, under a layer in memory that
# takes what is written; then the tests, as the kernel's command line names them.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in virtio_pci 9pnet_virtio 9p overlay; do modprobe "$module" 2>/dev/null; done
shared="-t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144"
mount $shared root /lower
mount -t tmpfs tmpfs /upper
mkdir /upper/changes /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work overlay /mnt
mkdir -p /mnt/lib/modules
mount $shared modules /mnt/lib/modules
for folder in proc sys dev; do mount --move "/$folder" "/mnt/$folder"; done
mount -t tmpfs tmpfs /mnt/run
mount -t bpf bpf /mnt/sys/fs/bpf
chroot /mnt /bin/sh -c '
    # All that there will be: the kernel loads none by itself here.
    for module in veth tun bridge sch_tbf sch_fq sch_ingress cls_bpf tcp_diag; do
        grep -q "without=[^ ]*$module" /proc/cmdline || modprobe -a "$module"
    done
    for word in $(cat /proc/cmdline); do
        case "$word" in tests=*) . "${word#tests=}" ;; esac
    done' 2>&1
echo o >/mnt/proc/sysrq-trigger
sleep 60
