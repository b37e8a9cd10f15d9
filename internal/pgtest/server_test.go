package pgtest

import (
	"database/sql"
	"os"
	"testing"
)

func TestDatabase(t *testing.T) {
	var s Server
	defer s.Stop()
	uris := map[string]bool{}
	for range 2 {
		uri := s.Database(t)
		if uris[uri] {
			t.Fatalf("%s was given out twice", uri)
		}
		uris[uri] = true
		db, err := sql.Open("postgres", uri)
		if err != nil {
			t.Fatal(err)
		}
		// Each is empty, so each can make the same table.
		if _, err := db.Exec("CREATE TABLE t (n INTEGER)"); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	dir := s.dir
	s.Stop()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("after Stop, %s: %v", dir, err)
	}
}
