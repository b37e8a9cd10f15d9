package store

import (
	"context"
	"database/sql"
	"fmt"
)

// upgrades are the steps from one version of the host's tables to the next.
// What has been released is never changed: add a step.
var upgrades = [...]string{
	`CREATE TABLE landbridge_txn (
		n   INTEGER PRIMARY KEY AUTOINCREMENT,
		txn TEXT NOT NULL UNIQUE
	) STRICT;
	CREATE TABLE landbridge_inbox (
		seq      INTEGER PRIMARY KEY AUTOINCREMENT,
		kind     INTEGER NOT NULL,
		lane     TEXT NOT NULL,
		event_id TEXT UNIQUE,
		body     BLOB,
		done     INTEGER NOT NULL
	) STRICT;
	CREATE INDEX landbridge_inbox_waiting ON landbridge_inbox (seq) WHERE done = 0;`,
	`CREATE TABLE landbridge_dead (
		n        INTEGER PRIMARY KEY AUTOINCREMENT,
		event_id TEXT NOT NULL UNIQUE,
		room     TEXT NOT NULL,
		sender   TEXT NOT NULL,
		type     TEXT NOT NULL,
		reason   TEXT NOT NULL,
		tries    INTEGER NOT NULL,
		at       INTEGER NOT NULL
	) STRICT;`,
}

// upgrade brings the host's tables to the newest version.
func upgrade(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS landbridge_version (version INTEGER NOT NULL) STRICT`); err != nil {
		return fmt.Errorf("version table: %w", err)
	}
	var version int
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM landbridge_version`).Scan(&version); err != nil {
		return fmt.Errorf("read version: %w", err)
	}
	if version > len(upgrades) {
		return fmt.Errorf("the tables are of version %d, which is newer than this program knows (%d)", version, len(upgrades))
	}
	if version == len(upgrades) {
		return nil
	}
	for i, step := range upgrades[version:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return fmt.Errorf("to version %d: %w", version+i+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM landbridge_version`); err != nil {
		return fmt.Errorf("write version: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO landbridge_version (version) VALUES (?)`, len(upgrades)); err != nil {
		return fmt.Errorf("write version: %w", err)
	}
	return tx.Commit()
}
