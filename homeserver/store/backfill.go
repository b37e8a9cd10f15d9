package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// fills are what a schema step does beyond its SQL: it derives from the rows that are there what
// the new tables are to hold. By the name of the step without its number.
func fills(name string) func(context.Context, *sql.Conn, func(string) string) error {
	switch name {
	case "rooms.sql":
		return fillRelations
	case "shared.sql":
		return fillRoomServers
	}
	return nil
}

// fillRoomServers counts the joined members of rooms by server.
func fillRoomServers(ctx context.Context, conn *sql.Conn, param func(string) string) error {
	type key struct {
		room   int64
		server string
	}
	servers := map[string]int64{}
	counts := map[key]*RoomServer{}
	err := eachRow(ctx, conn, `SELECT m.room_nid, u.id, m.pos FROM membership m JOIN user_name u ON u.nid = m.user_nid WHERE m.membership = 'join'`, func(rows *sql.Rows) error {
		var room, pos int64
		var user string
		if err := rows.Scan(&room, &user, &pos); err != nil {
			return err
		}
		k := key{room, ServerOf(user)}
		if servers[k.server] == 0 {
			servers[k.server] = int64(len(servers) + 1)
		}
		c := counts[k]
		if c == nil {
			c = &RoomServer{Room: room, Since: pos}
			counts[k] = c
		}
		c.Joined++
		c.Since = min(c.Since, pos)
		return nil
	})
	if err != nil {
		return fmt.Errorf("counting members: %w", err)
	}
	for name, nid := range servers {
		if _, err := conn.ExecContext(ctx, param(`INSERT INTO server_name (nid, id) VALUES ($1, $2)`), nid, name); err != nil {
			return fmt.Errorf("naming a server: %w", err)
		}
	}
	insert := param(`INSERT INTO room_server (server_nid, room_nid, joined, since_pos, until_pos) VALUES ($1, $2, $3, $4, 0)`)
	for k, c := range counts {
		if _, err := conn.ExecContext(ctx, insert, servers[k.server], k.room, c.Joined, c.Since); err != nil {
			return fmt.Errorf("writing a room's server: %w", err)
		}
	}
	return nil
}

// fillPage is how many events a backfill looks at in one go.
const fillPage = 1000

// fillRelations finds the relations of the events that are there already.
func fillRelations(ctx context.Context, conn *sql.Conn, param func(string) string) error {
	read := param(`SELECT nid, room_nid, id, depth, pos, author, state_key, ts, json FROM event
		WHERE nid > $1 AND pos IS NOT NULL ORDER BY nid LIMIT $2`)
	insert := param(`INSERT INTO relation (child, room_nid, parent, rel_type, type, annotation, author, usable, depth, pos, ts, id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`)
	for after, more := int64(0), true; more; {
		var found [][]any
		n := 0
		err := eachRow(ctx, conn, read, func(rows *sql.Rows) error {
			var nid, room, depth, pos, author, key, ts int64
			var id string
			var raw []byte
			if err := rows.Scan(&nid, &room, &id, &depth, &pos, &author, &key, &ts, &raw); err != nil {
				return err
			}
			after = nid
			n++
			if !bytes.Contains(raw, []byte(`"m.relates_to"`)) {
				return nil
			}
			e, err := event.Parse(raw, id, "", "")
			if err != nil {
				return err
			}
			rel, ok := e.Relation()
			if !ok {
				return nil
			}
			annotation := ""
			if rel.Type == event.RelAnnotation {
				annotation = rel.Key
			}
			found = append(found, []any{nid, room, rel.Parent, rel.Type, e.Type, annotation, author, bit(e.Edits()), depth, pos, ts, id})
			return nil
		}, after, fillPage)
		if err != nil {
			return fmt.Errorf("reading events: %w", err)
		}
		for _, row := range found {
			if _, err := conn.ExecContext(ctx, insert, row...); err != nil {
				return fmt.Errorf("writing a relation: %w", err)
			}
		}
		more = n == fillPage
	}
	_, err := conn.ExecContext(ctx, `INSERT INTO thread (room_nid, root, depth, pos)
		SELECT room_nid, parent, depth, pos FROM (
			SELECT room_nid, parent, depth, pos, row_number() OVER (PARTITION BY room_nid, parent ORDER BY depth DESC, pos DESC) AS n
			FROM relation WHERE rel_type = 'm.thread') newest WHERE n = 1`)
	return err
}

func eachRow(ctx context.Context, conn *sql.Conn, query string, fn func(*sql.Rows) error, args ...any) error {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
