package session

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"gopkg.in/irc.v4"
)

// maxLine is the longest line that is accepted from a server: 8191 bytes of
// tags (IRCv3 message-tags) and generous room for a line longer than 512 bytes
// (ISUPPORT LINELEN).
const maxLine = 16 << 10

var (
	errLineTooLong = errors.New("the server sent a line longer than 16 KiB")
	errMalformed   = errors.New("malformed line")
)

// readLine returns the next line without its line ending.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	var long []byte // of a line that the buffer doesn't hold
	for errors.Is(err, bufio.ErrBufferFull) {
		if long = append(long, line...); len(long) > maxLine {
			return "", errLineTooLong
		}
		line, err = r.ReadSlice('\n')
	}
	if err != nil {
		return "", err
	}
	if long != nil {
		if line = append(long, line...); len(line) > maxLine {
			return "", errLineTooLong
		}
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// parseLine parses one line of a server. Text that is not UTF-8 is taken for
// Windows-1252, as clients do. NUL bytes are removed.
func parseLine(line string) (*irc.Message, error) {
	line = ToUTF8(line)
	if strings.IndexByte(line, 0) >= 0 {
		line = strings.ReplaceAll(line, "\x00", "")
	}
	// The parser wants one space after tags and prefix and panics if nothing
	// follows the tags.
	rest := strings.TrimLeft(line, " ")
	var head strings.Builder
	for rest != "" && (rest[0] == '@' && head.Len() == 0 || rest[0] == ':') {
		word, after, ok := strings.Cut(rest, " ")
		after = strings.TrimLeft(after, " ")
		if !ok || after == "" {
			return nil, fmt.Errorf("%w: nothing after tags or prefix", errMalformed)
		}
		head.WriteString(word)
		head.WriteByte(' ')
		rest = after
		if word[0] == ':' {
			break
		}
	}
	if rest == "" {
		return nil, fmt.Errorf("%w: empty", errMalformed)
	}
	m, err := irc.ParseMessage(head.String() + rest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return m, nil
}

// ToUTF8 returns s unchanged if it is valid UTF-8 and otherwise s decoded as
// Windows-1252, with U+FFFD for the five bytes that are undefined there.
func ToUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	out, err := charmap.Windows1252.NewDecoder().String(s)
	if err != nil {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return out
}
