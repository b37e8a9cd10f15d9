package search

import (
	"context"
	"encoding/json/v2"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/landbridge-im/landbridge/homeserver/words"
)

// Bounds of a question, and of counting.
const (
	questionMax = 30
	countMax    = 10000
	// rankedMax is how many events are ranked: of more that match, the newest.
	rankedMax = 3000
)

// Question is what somebody looks for, taken apart.
type Question struct {
	match string
	words []words.Token
}

// Ask takes a question apart: all of its words must be there, in any order; those between quotation
// marks one after the other. It reports false if there is nothing in it to be looked for.
func Ask(question string) (Question, bool) {
	var q Question
	var parts []string
	segments := strings.Split(question, `"`)
	for i, s := range segments {
		tokens := words.Split(s, questionMax-min(len(q.words), questionMax))
		q.words = append(q.words, tokens...)
		if i%2 == 1 && i < len(segments)-1 {
			if len(tokens) > 0 {
				parts = append(parts, phrase(tokens, true))
			}
			continue
		}
		for len(tokens) > 0 {
			n := slices.IndexFunc(tokens, func(k words.Token) bool { return k.Run != tokens[0].Run })
			if n < 0 {
				n = len(tokens)
			}
			parts = append(parts, phrase(tokens[:n], false))
			tokens = tokens[n:]
		}
	}
	q.match = strings.Join(parts, " AND ")
	return q, len(parts) > 0
}

// phrase is the term of FTS5 for tokens that follow one another. A single word also stands for
// those that begin with it, if it is long enough and not quoted.
func phrase(tokens []words.Token, quoted bool) string {
	last := tokens[len(tokens)-1]
	if last.Last && len(tokens) > 1 && tokens[len(tokens)-2].Run == last.Run {
		tokens = tokens[:len(tokens)-1]
	}
	var b strings.Builder
	for i, k := range tokens {
		b.WriteString(map[bool]string{true: `"`, false: " "}[i == 0])
		b.WriteString(k.Text)
	}
	b.WriteByte('"')
	if !quoted && len(tokens) == 1 && beginning(tokens[0]) {
		b.WriteString(" *")
	}
	return b.String()
}

// beginning tells whether a word of a question also stands for longer ones.
func beginning(k words.Token) bool {
	r, _ := utf8.DecodeRuneInString(k.Text)
	return k.Last || !k.Dense && unicode.IsLetter(r) && utf8.RuneCountInString(k.Text) >= 3
}

// Highlights adds to words those of a text that the question has found.
func (q Question) Highlights(found map[string]bool, text string) {
	for _, k := range words.Split(text, wordsMax) {
		for _, w := range q.words {
			if !k.Dense && (k.Text == w.Text || beginning(w) && strings.HasPrefix(k.Text, w.Text)) {
				found[k.Raw] = true
			}
		}
	}
}

// Score tells how well a text matches, for results that are not ranked by the index: the more and
// the shorter the better, below 1.
func (q Question) Score(text string) float64 {
	tokens := words.Split(text, wordsMax)
	n := 0.0
	for _, k := range tokens {
		if slices.ContainsFunc(q.words, func(w words.Token) bool { return strings.HasPrefix(k.Text, w.Text) }) {
			n++
		}
	}
	const saturation, usual = 1.2, 12 // as in BM25, with the words that a message usually has
	return n / (n + saturation*(0.25+0.75*float64(len(tokens))/usual) + 1e-9)
}

// Words are the words of the question as they were written.
func (q Question) Words() []string {
	var out []string
	for _, k := range q.words {
		if !slices.Contains(out, k.Raw) {
			out = append(out, k.Raw)
		}
	}
	return out
}

// Query is one look into the index.
type Query struct {
	Question
	// Body, Name and Topic say where to look.
	Body, Name, Topic bool
	Rooms             []int64
	// Senders are whose events are looked for; nil means everybody's.
	Senders []int64
	// Recent asks for the newest first, in place of the most relevant.
	Recent bool
	// Before and UpTo bound the positions: below the one, and up to the other.
	Before, UpTo int64
	Offset       int
	Limit        int
}

// Hit is an event that was found.
type Hit struct {
	Pos, NID, Room, Sender int64
	// Rank is larger for what is more relevant; 0 in order of time.
	Rank float64
}

// where is the condition of a query and its arguments.
func (q Query) where() (string, []any, error) {
	var columns []string
	for name, in := range map[string]bool{"body": q.Body, "name": q.Name, "topic": q.Topic} {
		if in {
			columns = append(columns, name)
		}
	}
	slices.Sort(columns)
	rooms, err := json.Marshal(q.Rooms)
	if err != nil {
		return "", nil, err
	}
	cond := ` FROM text JOIN doc ON doc.pos = text.rowid WHERE text MATCH ? AND text.rowid < ? AND text.rowid <= ? AND doc.room IN (SELECT value FROM json_each(?))`
	args := []any{fmt.Sprintf("{%s} : (%s)", strings.Join(columns, " "), q.match), q.Before, q.UpTo, string(rooms)}
	if q.Senders != nil {
		senders, err := json.Marshal(q.Senders)
		if err != nil {
			return "", nil, err
		}
		cond += ` AND doc.sender IN (SELECT value FROM json_each(?))`
		args = append(args, string(senders))
	}
	return cond, args, nil
}

// Search finds events.
func (ix *Index) Search(ctx context.Context, q Query) ([]Hit, error) {
	cond, args, err := q.where()
	if err != nil {
		return nil, err
	}
	query := `SELECT doc.pos, doc.nid, doc.room, doc.sender, 0.0` + cond + ` ORDER BY text.rowid DESC LIMIT ? OFFSET ?`
	if !q.Recent {
		query = `SELECT pos, nid, room, sender, rank FROM (SELECT doc.*, -bm25(text) AS rank` + cond + ` ORDER BY text.rowid DESC LIMIT ?)
ORDER BY rank DESC, pos DESC LIMIT ? OFFSET ?`
		args = append(args, rankedMax)
	}
	rows, err := ix.db.QueryContext(ctx, query, append(args, q.Limit, q.Offset)...)
	if err != nil {
		return nil, fmt.Errorf("searching: %w", err)
	}
	defer rows.Close()
	var out []Hit
	for rows.Next() {
		var h Hit
		if err := rows.Scan(&h.Pos, &h.NID, &h.Room, &h.Sender, &h.Rank); err != nil {
			return nil, fmt.Errorf("searching: %w", err)
		}
		out = append(out, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("searching: %w", err)
	}
	return out, nil
}

// Count counts what Search would find in all, up to some thousands.
func (ix *Index) Count(ctx context.Context, q Query) (n int, err error) {
	cond, args, err := q.where()
	if err != nil {
		return 0, err
	}
	err = ix.db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1`+cond+` LIMIT ?)`, append(args, countMax)...).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting what is found: %w", err)
	}
	return n, nil
}
