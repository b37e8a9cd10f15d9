package search

import (
	"context"
	"errors"
	"fmt"
)

// removeBatch is how many events one transaction takes out.
const removeBatch = 500

// Remove takes events out by their positions in the log.
func (ix *Index) Remove(ctx context.Context, positions []int64) (err error) {
	tx, err := ix.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("taking events out of the search index: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	for _, pos := range positions {
		res, err := tx.ExecContext(ctx, `DELETE FROM doc WHERE pos = ?`, pos)
		if err != nil {
			return fmt.Errorf("taking events out of the search index: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM text WHERE rowid = ?`, pos); err != nil {
			return fmt.Errorf("taking events out of the search index: %w", err)
		}
	}
	return tx.Commit()
}

// RemoveRoom takes all events of a room out. Events that come later are none of its business.
func (ix *Index) RemoveRoom(ctx context.Context, room int64) error {
	for {
		positions, err := ix.positionsOf(ctx, room)
		if err != nil || len(positions) == 0 {
			return err
		}
		if err := ix.Remove(ctx, positions); err != nil {
			return err
		}
	}
}

func (ix *Index) positionsOf(ctx context.Context, room int64) (out []int64, err error) {
	rows, err := ix.db.QueryContext(ctx, `SELECT pos FROM doc WHERE room = ? LIMIT ?`, room, removeBatch)
	if err != nil {
		return nil, fmt.Errorf("reading the search index: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var pos int64
		if err := rows.Scan(&pos); err != nil {
			return nil, err
		}
		out = append(out, pos)
	}
	return out, rows.Err()
}
