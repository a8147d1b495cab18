// Volatile is a disk that can lose its power: what lies there is that of the directory below, and
// apart from it is kept what of that is synced.
//
// Usage: volatile PLACE SYNCED. PLACE is mounted over itself; what is there at first counts as
// synced. SYNCED is an empty directory. Told by lines of its input, each of which is answered:
//
//	hold    no sync returns any more, but for a process that is being killed
//	count   how many bytes are not synced now
//	lose    it is unmounted, and PLACE holds what was synced; it ends
//
// At the end of its input it is unmounted, and nothing is lost.
//
// Durable is a file's content as it was at its last fsync, fdatasync, msync or synchronous write,
// in pages of 4 KiB. Names are durable in the order in which they were made, changed and removed:
// a sync of a file or of a directory takes the last change that touches it, and all before that.
// Owners and modes are always durable; sync and syncfs make nothing so.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	page  = 4096
	uncut = math.MaxInt64
	// Of fallocate: FALLOC_FL_KEEP_SIZE.
	keepSize = 1
	// Of lseek.
	seekData, seekHole = 3, 4
	// What the directory below must not be opened with: it is read at each sync, by whole pages.
	unfit = syscall.O_DIRECT | syscall.O_SYNC | syscall.O_DSYNC | syscall.O_APPEND
)

// An object is a file, a directory, or something else that has names; the disk's lock guards it.
type object struct {
	id             int
	mode, uid, gid uint32
	names          map[string]*object // of a directory, the durable ones
	target         string             // of a symbolic link
	dirty          map[int64]bool     // pages that are not synced
	cut            int64              // the smallest size since the last sync
}

// A change of names that is not durable yet.
type change struct {
	touches []*object
	apply   func()
}

type disk struct {
	below, synced string
	lost          chan struct{} // closed when nobody need wait for a sync any more

	lock    sync.Mutex
	held    bool
	root    *object
	objects map[uint64]*object // by inode of the directory below
	count   int
	journal []change
}

func (d *disk) object(st *syscall.Stat_t, path string) *object {
	d.count++
	made := &object{id: d.count, mode: st.Mode, uid: st.Uid, gid: st.Gid, cut: uncut,
		names: map[string]*object{}, dirty: map[int64]bool{}}
	if st.Mode&syscall.S_IFMT == syscall.S_IFLNK {
		made.target, _ = os.Readlink(path)
	}
	d.objects[st.Ino] = made
	return made
}

func (d *disk) file(of *object) string { return filepath.Join(d.synced, strconv.Itoa(of.id)) }

// Found takes what is there at the beginning for synced.
func (d *disk) found(path string) (*object, error) {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return nil, err
	}
	if known := d.objects[st.Ino]; known != nil { // by another name
		return known, nil
	}
	made := d.object(&st, path)
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		return made, copyFile(path, d.file(made))
	case syscall.S_IFDIR:
		entries, err := os.ReadDir(path + "/.")
		for _, entry := range entries {
			if made.names[entry.Name()], err = d.found(filepath.Join(path, entry.Name())); err != nil {
				return nil, err
			}
		}
		return made, err
	}
	return made, nil
}

func (d *disk) changed(apply func(), touches ...*object) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.journal = append(d.journal, change{touches, apply})
}

// Sync makes a file's content durable, and names as they are told above. A file that has never
// been synced has an empty one.
func (d *disk) sync(of *object, fd int) error {
	d.lock.Lock()
	defer d.lock.Unlock()
	for last := len(d.journal) - 1; last >= 0; last-- {
		if slices.Contains(d.journal[last].touches, of) {
			for _, change := range d.journal[:last+1] {
				change.apply()
			}
			d.journal = slices.Clone(d.journal[last+1:])
			break
		}
	}
	if fd < 0 {
		return nil
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	kept, err := os.OpenFile(d.file(of), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer kept.Close()
	if before, err := kept.Stat(); err != nil || before.Size() > of.cut {
		if err := kept.Truncate(of.cut); err != nil {
			return err
		}
	}
	buffer := make([]byte, page)
	for number := range of.dirty {
		got, err := syscall.Pread(fd, buffer, number*page)
		if err != nil {
			return err
		}
		if _, err := kept.WriteAt(buffer[:got], number*page); err != nil {
			return err
		}
	}
	clear(of.dirty)
	of.cut = uncut
	return kept.Truncate(st.Size)
}

func (d *disk) wrote(to *object, offset, length int64) {
	d.lock.Lock()
	defer d.lock.Unlock()
	for number := offset / page; number*page < offset+length; number++ {
		to.dirty[number] = true
	}
}

func (d *disk) resized(to *object, size int64) {
	d.lock.Lock()
	defer d.lock.Unlock()
	to.cut = min(to.cut, size)
	maps.DeleteFunc(to.dirty, func(number int64, _ bool) bool { return number*page >= size })
}

// Gone: a file without any name, as of which nobody cares what is synced.
func (d *disk) gone(of *object, st *syscall.Stat_t) {
	if st.Nlink <= 1 {
		d.resized(of, 0)
	}
}

// Unsynced is in bytes; names are not counted.
func (d *disk) unsynced() (bytes int) {
	d.lock.Lock()
	defer d.lock.Unlock()
	for _, each := range d.objects {
		bytes += len(each.dirty) * page
	}
	return bytes
}

// Waits while syncs are held. A process that is being killed is let go, lest it cannot end; it
// does nothing any more.
func (d *disk) wait(thread uint32) syscall.Errno {
	for {
		d.lock.Lock()
		held := d.held
		d.lock.Unlock()
		if !held {
			return fs.OK
		}
		select {
		case <-d.lost:
			return syscall.EIO
		case <-time.After(5 * time.Millisecond):
			if dying(thread) {
				return syscall.EINTR
			}
		}
	}
}

func dying(thread uint32) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return true
	}
	for _, line := range strings.Split(string(status), "\n") {
		if name, mask, _ := strings.Cut(line, ":"); name == "SigPnd" || name == "ShdPnd" {
			pending, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			if err == nil && pending&(1<<(syscall.SIGKILL-1)) != 0 {
				return true
			}
		}
	}
	return false
}

// Restore puts what is synced into the directory below, in place of what is there.
func (d *disk) restore() error {
	entries, err := os.ReadDir(d.below + "/.")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(d.below, entry.Name())); err != nil {
			return err
		}
	}
	made := map[*object]string{}
	return d.put(d.root, d.below, made)
}

func (d *disk) put(of *object, path string, made map[*object]string) (err error) {
	if other := made[of]; other != "" {
		return os.Link(other, path)
	}
	made[of] = path
	switch of.mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		err = copyFile(d.file(of), path)
	case syscall.S_IFLNK:
		err = os.Symlink(of.target, path)
	case syscall.S_IFDIR:
		if of != d.root {
			err = os.Mkdir(path, 0o700)
		}
		for name, each := range of.names {
			if err == nil {
				err = d.put(each, filepath.Join(path, name), made)
			}
		}
	default:
		return nil // sockets and pipes are of processes that have ended
	}
	if err == nil {
		err = os.Lchown(path, int(of.uid), int(of.gid))
	}
	if err == nil && of.target == "" {
		err = syscall.Chmod(path, of.mode&0o7777)
	}
	return err
}

// CopyFile makes an empty one where there is none to be copied: one that was never synced. Holes
// stay holes: servers reserve much that they never fill.
func copyFile(from, to string) error {
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer target.Close()
	source, err := os.Open(from)
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	defer source.Close()
	size, err := source.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	for hole := int64(0); hole < size; {
		data, err := source.Seek(hole, seekData)
		if err != nil { // there is no more
			break
		}
		if hole, err = source.Seek(data, seekHole); err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(target, data), io.NewSectionReader(source, data, hole-data)); err != nil {
			return err
		}
	}
	return target.Truncate(size)
}

// A node of the file system; all that is not said here is done to the directory below.
type node struct {
	fs.LoopbackNode
	disk   *disk
	object *object
}

// A file or a directory that is open. What go-fuse could do past this program is left out.
type file struct {
	opened
	fd          int
	synchronous bool
}

type opened interface {
	fs.FileReader
	fs.FileWriter
	fs.FileReleaser
	fs.FileGetattrer
	fs.FileSetattrer
	fs.FileFlusher
	fs.FileLseeker
	fs.FileAllocater
}

type directory struct{ listed }

type listed interface {
	fs.FileReaddirenter
	fs.FileReleasedirer
	fs.FileSeekdirer
}

func (n *node) opened(handle fs.FileHandle, flags uint32) fs.FileHandle {
	fd, _ := handle.(fs.FilePassthroughFder).PassthroughFd()
	return &file{handle.(opened), fd, flags&(syscall.O_SYNC|syscall.O_DSYNC) != 0}
}

func (n *node) at(name string) string {
	return filepath.Join(n.RootData.Path, n.Path(n.Root()), name)
}

// Named: what has got its first name.
func (n *node) named(name string, inode *fs.Inode) {
	var st syscall.Stat_t
	if syscall.Lstat(n.at(name), &st) != nil {
		return
	}
	n.disk.lock.Lock()
	made := n.disk.object(&st, n.at(name)) // inodes of what is gone are used again
	n.disk.lock.Unlock()
	inode.Operations().(*node).object = made
	n.disk.changed(func() { n.object.names[name] = made }, n.object, made)
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (
	*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, handle, _, errno := n.LoopbackNode.Create(ctx, name, readable(flags), mode, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	n.named(name, inode)
	return inode, n.opened(handle, flags), fuse.FOPEN_KEEP_CACHE, 0
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	handle, _, errno := n.LoopbackNode.Open(ctx, readable(flags))
	if errno != 0 {
		return nil, 0, errno
	}
	if flags&syscall.O_TRUNC != 0 {
		n.disk.resized(n.object, 0)
	}
	return n.opened(handle, flags), fuse.FOPEN_KEEP_CACHE, 0
}

func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	handle, _, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &directory{handle.(listed)}, 0, 0
}

func readable(flags uint32) uint32 {
	if flags&syscall.O_ACCMODE == syscall.O_WRONLY {
		flags = flags&^syscall.O_ACCMODE | syscall.O_RDWR
	}
	return flags &^ unfit
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	inode, errno := n.LoopbackNode.Mkdir(ctx, name, mode, out)
	if errno == 0 {
		n.named(name, inode)
	}
	return inode, errno
}

func (n *node) Mknod(ctx context.Context, name string, mode, device uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	inode, errno := n.LoopbackNode.Mknod(ctx, name, mode, device, out)
	if errno == 0 {
		n.named(name, inode)
	}
	return inode, errno
}

func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	inode, errno := n.LoopbackNode.Symlink(ctx, target, name, out)
	if errno == 0 {
		n.named(name, inode)
	}
	return inode, errno
}

func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	inode, errno := n.LoopbackNode.Link(ctx, target, name, out)
	if errno == 0 {
		of := target.(*node).object
		n.disk.changed(func() { n.object.names[name] = of }, n.object, of)
	}
	return inode, errno
}

// Known is what has a name in this directory; nil: nothing has it.
func (n *node) known(name string, st *syscall.Stat_t) *object {
	if syscall.Lstat(n.at(name), st) != nil {
		return nil
	}
	n.disk.lock.Lock()
	defer n.disk.lock.Unlock()
	return n.disk.objects[st.Ino]
}

func (n *node) removed(name string, remove func() syscall.Errno) syscall.Errno {
	var st syscall.Stat_t
	known := n.known(name, &st)
	errno := remove()
	if errno == 0 && known != nil {
		n.disk.changed(func() { delete(n.object.names, name) }, n.object, known)
		n.disk.gone(known, &st)
	}
	return errno
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	return n.removed(name, func() syscall.Errno { return n.LoopbackNode.Unlink(ctx, name) })
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	return n.removed(name, func() syscall.Errno { return n.LoopbackNode.Rmdir(ctx, name) })
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if flags&fs.RENAME_EXCHANGE != 0 {
		return syscall.EINVAL
	}
	var moving, st syscall.Stat_t
	into := to.(*node)
	known, replaced := n.known(name, &moving), into.known(newName, &st)
	errno := n.LoopbackNode.Rename(ctx, name, &into.LoopbackNode, newName, flags)
	if errno == 0 && known != replaced {
		n.disk.changed(func() {
			delete(n.object.names, name)
			into.object.names[newName] = known
		}, n.object, into.object, known, replaced)
		if replaced != nil {
			n.disk.gone(replaced, &st)
		}
	}
	return errno
}

func (n *node) Write(ctx context.Context, handle fs.FileHandle, data []byte, offset int64) (uint32, syscall.Errno) {
	to := handle.(*file)
	count, errno := to.Write(ctx, data, offset)
	if errno == 0 {
		n.disk.wrote(n.object, offset, int64(count))
		if to.synchronous {
			errno = n.Fsync(ctx, handle, 0)
		}
	}
	return count, errno
}

func (n *node) Allocate(ctx context.Context, handle fs.FileHandle, offset, size uint64, mode uint32) syscall.Errno {
	errno := handle.(*file).Allocate(ctx, offset, size, mode)
	if errno == 0 && mode&^keepSize != 0 { // what is merely allocated keeps its content
		n.disk.wrote(n.object, int64(offset), int64(size))
	}
	return errno
}

func (n *node) Setattr(ctx context.Context, handle fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	errno := n.LoopbackNode.Setattr(ctx, handle, in, out)
	if errno != 0 {
		return errno
	}
	if size, ok := in.GetSize(); ok {
		n.disk.resized(n.object, int64(size))
	}
	n.disk.lock.Lock()
	defer n.disk.lock.Unlock()
	n.object.mode, n.object.uid, n.object.gid = out.Mode, out.Uid, out.Gid
	return fs.OK
}

func (n *node) Fsync(ctx context.Context, handle fs.FileHandle, flags uint32) syscall.Errno {
	caller, _ := fuse.FromContext(ctx)
	if errno := n.disk.wait(caller.Pid); errno != 0 {
		return errno
	}
	fd := -1
	if open, ok := handle.(*file); ok {
		fd = open.fd
	}
	return fs.ToErrno(n.disk.sync(n.object, fd))
}

// CopyFileRange is left to the kernel, which reads and writes.
func (n *node) CopyFileRange(context.Context, fs.FileHandle, uint64, *fs.Inode, fs.FileHandle, uint64, uint64, uint64) (uint32, syscall.Errno) {
	return 0, syscall.ENOSYS
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: volatile PLACE SYNCED")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(place, synced string) error {
	syscall.Umask(0) // the kernel has applied the caller's
	below, err := syscall.Open(place, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	d := &disk{below: fmt.Sprintf("/proc/self/fd/%d", below), synced: synced,
		lost: make(chan struct{}), objects: map[uint64]*object{}}
	var st syscall.Stat_t
	if err := syscall.Fstat(below, &st); err != nil {
		return err
	}
	if d.root, err = d.found(d.below + "/."); err != nil {
		return err
	}
	data := &fs.LoopbackRoot{Path: d.below, Dev: uint64(st.Dev)}
	data.NewNode = func(data *fs.LoopbackRoot, _ *fs.Inode, _ string, st *syscall.Stat_t) fs.InodeEmbedder {
		d.lock.Lock()
		defer d.lock.Unlock()
		return &node{fs.LoopbackNode{RootData: data}, d, d.objects[st.Ino]}
	}
	root := data.NewNode(data, nil, "", &st)
	data.RootNode = root
	forever := time.Hour // nobody else changes what lies below
	_, err = fs.Mount(place, root, &fs.Options{
		EntryTimeout: &forever, AttrTimeout: &forever,
		MountOptions: fuse.MountOptions{
			Name: "volatile", FsName: "stackproof", DirectMount: true, AllowOther: os.Geteuid() == 0,
			DisableXAttrs: true, ExplicitDataCacheControl: true, MaxWrite: 1 << 20,
			Options: []string{"default_permissions"},
		},
	})
	if err != nil {
		return err
	}
	fmt.Println("mounted")
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		switch input.Text() {
		case "hold":
			d.lock.Lock()
			d.held = true
			d.lock.Unlock()
			fmt.Println("held")
		case "count":
			fmt.Println(d.unsynced())
		case "lose":
			close(d.lost)
			if err := unmount(place); err != nil {
				return err
			}
			if err := d.restore(); err != nil {
				return err
			}
			fmt.Println("lost")
			return nil
		}
	}
	return unmount(place)
}

// Lazily: whoever still has a file open there must not keep it.
func unmount(place string) error {
	if syscall.Unmount(place, syscall.MNT_DETACH) == nil {
		return nil
	}
	return exec.Command("fusermount3", "-u", "-z", place).Run()
}
