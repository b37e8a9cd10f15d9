package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// migration is one numbered step of the schema.
type migration struct {
	number int
	name   string
	sql    string
}

func loadMigrations(fsys fs.FS) ([]migration, error) {
	files, err := fs.Glob(fsys, "schema/*.sql")
	if err != nil {
		return nil, err
	}
	var steps []migration
	for _, file := range files {
		raw, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("reading the schema: %w", err)
		}
		num, _, _ := strings.Cut(path.Base(file), "_")
		n, err := strconv.Atoi(num)
		if err != nil || n != len(steps)+1 {
			return nil, fmt.Errorf("%s: schema files must be numbered 001, 002, ... without gaps", file)
		}
		steps = append(steps, migration{n, path.Base(file), string(raw)})
	}
	return steps, nil
}

// migrate brings the database to the newest schema, one transaction a step. A database that is
// newer than this program is refused, untouched.
func (s *Store) migrate(ctx context.Context, conn *sql.Conn) error {
	steps, err := loadMigrations(schemaFiles)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)`); err != nil {
		return fmt.Errorf("preparing the schema: %w", err)
	}
	var have int
	err = conn.QueryRowContext(ctx, `SELECT version FROM schema_version`).Scan(&have)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading the schema version: %w", err)
	}
	if err := tooNew(have, len(steps)); err != nil {
		return err
	}
	for _, m := range steps[have:] {
		if err := s.step(ctx, conn, m); err != nil {
			return fmt.Errorf("schema step %s: %w", m.name, err)
		}
		s.log.InfoContext(ctx, "database schema brought up", "step", m.name)
	}
	return nil
}

func (s *Store) step(ctx context.Context, conn *sql.Conn, m migration) (err error) {
	if _, err := conn.ExecContext(ctx, s.loc.begin); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, rollback := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			err = errors.Join(err, rollback)
		}
	}()
	text := s.loc.schema.Replace(m.sql)
	text += fmt.Sprintf("\n;DELETE FROM schema_version; INSERT INTO schema_version (version) VALUES (%d);", m.number)
	if _, err := conn.ExecContext(ctx, text); err != nil {
		return err
	}
	_, name, _ := strings.Cut(m.name, "_")
	if fill := fills(name); fill != nil {
		if err := fill(ctx, conn, s.loc.param); err != nil {
			return fmt.Errorf("filling what is new from what is there: %w", err)
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}
