package store

import (
	"bufio"
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

//go:embed queries/*.sql
var queryFiles embed.FS

// boundLimit is a limit that is a parameter. SQLite plans by its value, and so prepares such a query
// anew each time that one is bound, which takes longer than to run it. A cast hides the value.
var boundLimit = regexp.MustCompile(`LIMIT (\$\d+)`)

// loadQueries reads the named queries: each begins with a line "-- name: NAME" and ends with
// the next such line.
func loadQueries(fsys fs.FS) (map[string]string, error) {
	files, err := fs.Glob(fsys, "queries/*.sql")
	if err != nil {
		return nil, err
	}
	queries := map[string]string{}
	for _, file := range files {
		raw, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("reading the queries: %w", err)
		}
		name := ""
		for lines := bufio.NewScanner(strings.NewReader(string(raw))); lines.Scan(); {
			line := lines.Text()
			if n, ok := strings.CutPrefix(line, "-- name: "); ok {
				if _, dup := queries[n]; dup {
					return nil, fmt.Errorf("%s: query %s is there twice", file, n)
				}
				name, queries[n] = n, ""
				continue
			}
			if strings.HasPrefix(line, "--") || strings.TrimSpace(line) == "" {
				continue
			}
			if name == "" {
				return nil, fmt.Errorf("%s: text before the first name", file)
			}
			queries[name] += line + "\n"
		}
	}
	for name, q := range queries {
		queries[name] = boundLimit.ReplaceAllString(spelledOut.ReplaceAllStringFunc(strings.TrimSuffix(strings.TrimSpace(q), ";"), spellOut),
			"LIMIT CAST($1 AS BIGINT)")
	}
	return queries, nil
}

// spelledOut is a list of parameters in short, e.g. {64 from 2} for $2,$3,...,$65, or {64 pairs} for ($1,$2),($3,$4),...,($127,$128).
var spelledOut = regexp.MustCompile(`\{(\d+) (?:from (\d+)|pairs)\}`)

func spellOut(short string) string {
	m := spelledOut.FindStringSubmatch(short)
	n, _ := strconv.Atoi(m[1]) // digits by the expression
	from, _ := strconv.Atoi(m[2])
	list := make([]string, n)
	for i := range list {
		if m[2] == "" {
			list[i] = "($" + strconv.Itoa(2*i+1) + ",$" + strconv.Itoa(2*i+2) + ")"
			continue
		}
		list[i] = "$" + strconv.Itoa(from+i)
	}
	return strings.Join(list, ",")
}
