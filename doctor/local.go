package doctor

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/landbridge-im/landbridge/backup"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// folder looks at the data folder.
func (d *doctor) folder(context.Context) []Finding {
	dir := d.Config.DataDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return doubt("start the server once, or run this in the folder where it is started", "%s is not there yet", dir)
	case err != nil:
		return bad("let the user who runs Landbridge read the folder", "%v", err)
	case !info.IsDir():
		return bad("name a folder in data_dir", "%s is no folder", dir)
	}
	probe, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return bad("let the user who runs Landbridge write to the folder", "%v", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return bad("look at the disk", "%v", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return doubt(sentence.Data("chmod 700 "+dir), "others on this machine may look into %s (mode %o), which holds secrets", dir, mode)
	}
	return good("%s can be written, by us alone", dir)
}

// Bounds of free space, in bytes, that make it doubtful or bad.
const (
	littleSpace = 2 << 30
	noSpace     = 256 << 20
)

// disk looks for free space.
func (d *doctor) disk(context.Context) []Finding {
	var out []Finding
	seen := map[uint64]bool{}
	dirs := []string{d.Config.DataDir, d.Config.BackupFolder()}
	if d.Config.Media.S3.Endpoint == "" {
		dirs = append(dirs, d.Config.MediaPath())
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			continue // the data folder has been looked at, the others are made when needed
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			if seen[uint64(st.Dev)] {
				continue
			}
			seen[uint64(st.Dev)] = true
		}
		var s syscall.Statfs_t
		if err := syscall.Statfs(dir, &s); err != nil {
			out = append(out, doubt("", "%s: %v", dir, err)...)
			continue
		}
		free, all := int64(s.Bavail)*int64(s.Bsize), int64(s.Blocks)*int64(s.Bsize)
		const mend = "make room, or move media.path or backup.folder to another disk; `landbridge backup list` shows what backups take"
		text := sentence.Say("%.1f of %.1f GiB are free in %s", float64(free)/(1<<30), float64(all)/(1<<30), dir)
		switch {
		case free < noSpace:
			out = append(out, bad(mend, "%s", text)...)
		case free < littleSpace:
			out = append(out, doubt(mend, "%s", text)...)
		default:
			out = append(out, good("%s", text)...)
		}
	}
	if len(out) == 0 {
		return skipped("there is nothing on the disk yet")
	}
	return out
}

// database looks whether the databases can be read and are sound.
func (d *doctor) database(ctx context.Context) []Finding {
	uri := d.Config.DatabaseURI().Reveal()
	have, newest, err := store.SchemaVersion(ctx, uri)
	if err != nil {
		return bad("look at database.uri, and whether the database runs", "%v", err)
	}
	if have == 0 {
		return skipped("there is none yet; the server makes it when it starts")
	}
	if err := store.CheckSchema(ctx, uri); err != nil {
		return bad("start the newer program, or `landbridge restore` a backup from before", "%v", err)
	}
	out := good("schema version %d", have)
	if have < newest {
		out = good("schema version %d, which the next start brings to %d", have, newest)
	}
	path := store.SQLitePath(uri)
	if path == "" {
		return out
	}
	return append(out, sound(ctx, append(d.bridgeDatabases(), path))...)
}

func (d *doctor) bridgeDatabases() []string {
	list, _ := filepath.Glob(filepath.Join(d.Config.DataDir, "bridges", "*", "*.db")) // the pattern is well-formed
	return list
}

// checkTime is how long the database files are gone through; more is left to the command that
// checks backups.
const checkTime = 20 * time.Second

// sound goes through database files.
func sound(ctx context.Context, files []string) []Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var out []Finding
	for _, file := range files {
		verdict, err := quickCheck(ctx, file)
		switch {
		case ctx.Err() != nil:
			out = append(out, skipped("%s is too large to be gone through now", file)...)
		case err != nil:
			out = append(out, bad("stop the server, and restore the newest backup: `landbridge backup list`", "%s: %v", file, err)...)
		case verdict != "ok":
			out = append(out, bad("stop the server, keep a copy of the file, and restore the newest backup: `landbridge backup list`", "%s is damaged: %s", file, verdict)...)
		default:
			out = append(out, good("%s is sound", file)...)
		}
	}
	return out
}

func quickCheck(ctx context.Context, file string) (verdict string, err error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(), RawQuery: "mode=rw&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return verdict, db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
}

// key looks at the signing key.
func (d *doctor) key(context.Context) []Finding {
	path := filepath.Join(d.Config.DataDir, "signing.key")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return skipped("there is none yet; the server makes it when it starts")
	}
	if err != nil {
		return bad("let the user who runs Landbridge read the file", "%v", err)
	}
	own, err := keyring.Load(path, d.Config.Server.Name)
	if err != nil {
		return bad("restore the file from a backup: a new key would make the server another one for the rest of the world", "%v", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return bad(sentence.Data("chmod 600 "+path), "others on this machine may read %s (mode %o)", path, mode)
	}
	return good("%s, readable by us alone", own.Signer().KeyID)
}

// fileLimit is how many files and connections should be possible at once.
const fileLimit = 4096

// limits looks at what the system allows.
func (d *doctor) limits(context.Context) []Finding {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return skipped("%v", err)
	}
	if r.Max < fileLimit {
		return doubt("raise it: LimitNOFILE=65536 in the systemd unit, or ulimit -n 65536", "only %d files and connections may be open at once", r.Max)
	}
	return good("%d files and connections may be open at once", r.Max)
}

// ports looks whether the addresses are answered, or can be taken.
func (d *doctor) ports(ctx context.Context) []Finding {
	c := d.Config
	list := append([]string{}, c.Server.Listen...)
	if c.Federation.Enabled {
		list = append(list, c.Federation.Listen...)
	}
	var out []Finding
	for _, addr := range list {
		var dial net.Dialer
		conn, err := dial.DialContext(ctx, "tcp", addr)
		if err == nil {
			conn.Close()
			out = append(out, good("somebody answers at %s", addr)...)
			continue
		}
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			out = append(out, bad("choose another address in server.listen or federation.listen; ports below 1024 need CAP_NET_BIND_SERVICE", "%s can't be listened on: %v", addr, err)...)
			continue
		}
		l.Close()
		out = append(out, good("%s is free for the server to take", addr)...)
	}
	return out
}

// signUp looks at who may make an account.
func (d *doctor) signUp(context.Context) []Finding {
	r := d.Config.Registration
	if !r.Open {
		return good("only who has a registration token may make an account")
	}
	if r.RequireEmail {
		return good("anybody with an e-mail address may make an account")
	}
	return doubt("set registration.open: false and give out tokens (landbridge token create), or registration.require_email: true", "anybody may make an account, which attracts spam on a public server")
}

// backups looks for the newest backup.
func (d *doctor) backups(context.Context) []Finding {
	b := d.Config.Backup
	list, err := backup.List(d.Config.BackupFolder())
	switch {
	case err != nil:
		return bad("let the user who runs Landbridge read the folder", "%v", err)
	case len(list) == 0:
		return doubt("set backup.every: 24h and backup.folder on another disk, or run `landbridge backup create` by cron", "there is no backup in %s", d.Config.BackupFolder())
	}
	age := d.Now().Sub(list[0].At).Round(time.Minute)
	if most := max(2*b.Every.Std(), 48*time.Hour); age > most {
		return doubt("look for `the backup failed` in the log", "the newest backup is %s old", age)
	}
	return good("the newest backup is %s old", age)
}

// server asks the running server.
func (d *doctor) server(ctx context.Context) []Finding {
	if d.Ask == nil {
		return skipped("it was not asked")
	}
	r, err := d.Ask(ctx)
	if err != nil {
		return bad("look at its log", "it runs, and does not answer: %v", err)
	}
	if r == nil {
		return doubt("start it: landbridge serve, or systemctl start landbridge", "it does not run")
	}
	out := good("it runs, version %s", r.Version)
	if r.Version != d.Version {
		out = doubt("restart it", "it runs version %s, and this program is %s", r.Version, d.Version)
	}
	if r.Queue > r.QueueMax/2 {
		out = append(out, doubt("look at the speed of the disk (database.synchronous: normal spares it)", "%d writes wait for the database", r.Queue)...)
	}
	for _, b := range r.Bridges {
		f := Finding{Area: sentence.Say("bridge %s", b.ID), Verdict: Good, Text: sentence.Data(b.Text)}
		switch {
		case !b.Up:
			f.Verdict, f.Mend = Bad, sentence.Say("its log lines have bridge=%s; `landbridge config check` looks at its configuration", b.ID)
		case b.Behind > 1000:
			f.Verdict, f.Text, f.Mend = Doubt, sentence.Say("%s; %d entries behind", b.Text, b.Behind), sentence.Say("it works, but slowly: look at its log")
		}
		out = append(out, f)
	}
	return out
}
