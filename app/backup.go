package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/backup"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// runBackup is "landbridge backup".
func runBackup(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge backup", []command{
		{"create", "copy everything to one file, also while the server runs", runBackupCreate},
		{"check", "read a backup and say whether it is whole", runBackupCheck},
		{"list", "list the backups in the folder of backups", runBackupList},
	}, args, std)
}

// backupSource is what a configuration says of the data.
func backupSource(c *config.Config, path, version string, media bool) (backup.Source, error) {
	s := backup.Source{Dir: c.DataDir, Database: store.SQLitePath(c.DatabaseURI().Reveal()), Config: path, Skip: []string{c.BackupFolder()},
		ServerName: c.Server.Name, Version: version}
	if s.Database == "" {
		return s, &exitError{exitFailure, "the database is PostgreSQL: stop the server and copy the data folder, and the database with pg_dump (see docs/operations.md)"}
	}
	if media && c.Media.S3.Endpoint == "" {
		s.Media = c.MediaPath()
	}
	return s, nil
}

// backupRequest is the command /backup/create to a running server.
type backupRequest struct {
	Path  string `json:"path"`
	Media bool   `json:"media"`
}

// backupMade is the answer.
type backupMade struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	backup.Summary
}

func runBackupCreate(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge backup create")
	path := configFlag(fs)
	out := fs.String("o", "", "the `file` to write; without it, one in the folder of backups")
	noMedia := fs.Bool("without-media", false, "leave out the files that people sent")
	asJSON := fs.Bool("json", false, "print JSON")
	rest, err := parseFlags(fs, "landbridge backup create [-o FILE] [-without-media] [-json] [-c FILE]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge backup create: unexpected argument %q; write -o %s", rest[0], rest[0])
	}
	cfg, err := loadConfig(*path)
	if err != nil {
		return err
	}
	q := backupRequest{*out, !*noMedia}
	if q.Path == "" {
		q.Path = filepath.Join(cfg.BackupFolder(), backup.Name(backup.Asked, time.Now()))
	}
	if q.Path, err = filepath.Abs(q.Path); err != nil {
		return err
	}
	if _, err := os.Lstat(q.Path); err == nil {
		return &exitError{exitFailure, q.Path + " exists already"}
	}
	made, err := createBackup(ctx, cfg, configPath(*path), std.build.Version, q)
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(std, made)
	}
	_, err = fmt.Fprintf(std.Out, "Copied %d files of %s, %s, to %s (%s)\n", made.Files, made.ServerName, config.Size(made.Summary.Bytes), made.Path, config.Size(made.Bytes))
	return err
}

// createBackup asks the running server for a backup, or makes it itself.
func createBackup(ctx context.Context, cfg *config.Config, path, version string, q backupRequest) (made backupMade, err error) {
	c, err := dial(ctx, cfg)
	if err != nil {
		return made, err
	}
	if c != nil {
		defer func() { err = errors.Join(err, c.close()) }()
		return made, c.do(ctx, "/backup/create", q, &made)
	}
	unlock, err := lockDir(cfg.DataDir)
	if err != nil {
		return made, err
	}
	defer unlock()
	s, err := backupSource(cfg, path, version, q.Media)
	if err != nil {
		return made, err
	}
	return saveBackup(ctx, q.Path, s)
}

func saveBackup(ctx context.Context, path string, s backup.Source) (backupMade, error) {
	sum, err := backup.Save(ctx, path, s)
	if err != nil {
		return backupMade{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return backupMade{}, err
	}
	return backupMade{path, info.Size(), sum}, nil
}

func runBackupCheck(ctx context.Context, args []string, std stdio) (err error) {
	fs := newFlags("landbridge backup check")
	asJSON := fs.Bool("json", false, "print JSON")
	rest, err := parseFlags(fs, "landbridge backup check [-json] FILE", args, std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError("landbridge backup check: name one file")
	}
	f, err := os.Open(rest[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum, err := backup.Check(ctx, f)
	if err != nil {
		return fmt.Errorf("%s: %w", rest[0], err)
	}
	if *asJSON {
		return printJSON(std, sum)
	}
	return tellBackup(std.Out, "The backup is whole", sum)
}

// tellBackup tells people what a backup is.
func tellBackup(w io.Writer, what string, sum backup.Summary) error {
	media := "with the files that people sent"
	if !sum.Media {
		media = "without the files that people sent"
	}
	_, err := fmt.Fprintf(w, "%s: %s, as it was at %s; %d files, %s, %s; made by version %s\n", what, sum.ServerName,
		when(sum.CreatedTS, ""), sum.Files, config.Size(sum.Bytes), media, sum.Version)
	return err
}

func runBackupList(_ context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge backup list")
	path := configFlag(fs)
	asJSON := fs.Bool("json", false, "print JSON, a backup a line")
	rest, err := parseFlags(fs, "landbridge backup list [-json] [-c FILE]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge backup list: unexpected argument %q", rest[0])
	}
	cfg, err := loadConfig(*path)
	if err != nil {
		return err
	}
	list, err := backup.List(cfg.BackupFolder())
	if err != nil {
		return err
	}
	rows := [][]string{{"MADE", "WHY", "SIZE", "FILE"}}
	for _, b := range list {
		if *asJSON {
			if err := printJSON(std, map[string]any{"path": b.Path, "kind": b.Kind, "created_ts": b.At.UnixMilli(), "bytes": b.Bytes}); err != nil {
				return err
			}
		}
		rows = append(rows, []string{when(b.At.UnixMilli(), ""), string(b.Kind), bytesText(b.Bytes), b.Path})
	}
	if *asJSON {
		return nil
	}
	return table(std, rows)
}

// bytesText writes a size for people.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, names := float64(n)/unit, "KMGT"
	for f >= unit && len(names) > 1 {
		f, names = f/unit, names[1:]
	}
	return fmt.Sprintf("%.1f %ciB", f, names[0])
}

// runRestore is "landbridge restore".
func runRestore(ctx context.Context, args []string, std stdio) (err error) {
	fs := newFlags("landbridge restore")
	path := configFlag(fs)
	confOut := fs.String("write-config", "", "also write the configuration of the backup to this `file`")
	asJSON := fs.Bool("json", false, "print JSON")
	rest, err := parseFlags(fs, "landbridge restore FILE [-c FILE] [-write-config FILE] [-json]", args, std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError("landbridge restore: name one file")
	}
	cfg, err := loadConfig(*path)
	if err != nil {
		return err
	}
	t := backup.Target{Dir: cfg.DataDir, Database: store.SQLitePath(cfg.DatabaseURI().Reveal()), Media: cfg.MediaPath(), Config: *confOut,
		Accept: func(ctx context.Context, database string) error { return store.CheckSchema(ctx, "sqlite:"+database) }}
	if t.Database == "" {
		return &exitError{exitFailure, "the configured database is PostgreSQL; a backup of SQLite can't be restored into it"}
	}
	if configPath(*path) != "" {
		t.ServerName = cfg.Server.Name
	}
	f, err := os.Open(rest[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum, err := backup.Restore(ctx, f, t)
	if err != nil {
		return fmt.Errorf("%s: %w", rest[0], err)
	}
	if *asJSON {
		return printJSON(std, sum)
	}
	return tellBackup(std.Out, "Restored to "+cfg.DataDir, sum)
}
