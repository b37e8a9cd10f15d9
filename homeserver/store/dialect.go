package store

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// dialect holds what differs between the two databases.
type dialect struct {
	name   string // "sqlite" or "postgres"
	driver string
	// schema turns the placeholders of the schema files into types.
	schema *strings.Replacer
	// begin starts a write transaction.
	begin string
	// giveBack is the statement, with %d pages, that gives free pages back to the disk; "" if there is none.
	giveBack string
	// param rewrites the parameters of queries, which are written $1, $2, ...
	param func(string) string
}

// busyTimeout is how long a connection of SQLite waits for another, in milliseconds.
const busyTimeout = 10_000

var params = regexp.MustCompile(`\$(\d+)`)

func sqliteDialect() dialect {
	return dialect{
		name: "sqlite", driver: "sqlite",
		schema: strings.NewReplacer("{pk}", "INTEGER PRIMARY KEY", "{blob}", "BLOB", "{norowid}", "WITHOUT ROWID"),
		begin:  "BEGIN IMMEDIATE", giveBack: "PRAGMA incremental_vacuum(%d)",
		param: func(q string) string { return params.ReplaceAllString(q, "?$1") },
	}
}

func postgresDialect() dialect {
	return dialect{
		name: "postgres", driver: "postgres",
		schema: strings.NewReplacer("{pk}", "BIGINT PRIMARY KEY", "{blob}", "BYTEA", "{norowid}", ""),
		begin:  "BEGIN",
		param:  func(q string) string { return q },
	}
}

// location is a parsed database URI.
type location struct {
	dialect
	dsn  string
	path string // the SQLite file
}

// parseURI understands sqlite:PATH, a bare path, and postgres://...
func parseURI(uri string, full bool) (location, error) {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || len(scheme) < 2 {
		scheme, rest = "sqlite", uri
	}
	switch scheme {
	case "sqlite", "file":
		rest = strings.TrimPrefix(rest, "//")
		if rest == "" || strings.ContainsAny(rest, "?#") {
			return location{}, fmt.Errorf("database URI %q: want sqlite:PATH, without parameters", uri)
		}
		sync := "NORMAL"
		if full {
			sync = "FULL"
		}
		v := url.Values{"_pragma": {
			// Space can only be given back by a database that was made for it: this comes first.
			"auto_vacuum(2)",
			"busy_timeout(" + strconv.Itoa(busyTimeout) + ")", "journal_mode(WAL)", "synchronous(" + sync + ")",
			// Integrity is the writer's work; foreign keys would cost a look-up a row.
			"foreign_keys(0)", "temp_store(MEMORY)", "cache_size(-8000)",
			// Checkpoints are the checkpointer's work, unless it can't.
			"wal_autocheckpoint(64000)", "journal_size_limit(67108864)",
		}}
		return location{dialect: sqliteDialect(), dsn: "file:" + (&url.URL{Path: rest}).EscapedPath() + "?" + v.Encode(), path: rest}, nil
	case "postgres", "postgresql":
		return location{dialect: postgresDialect(), dsn: uri}, nil
	default:
		return location{}, fmt.Errorf("database URI scheme %q: want sqlite or postgres", scheme)
	}
}
