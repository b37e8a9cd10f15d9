package format

import (
	"strings"
	"unicode/utf8"
)

// MaxLength is the longest message that a webhook may send, in characters.
const MaxLength = 2000

// Split cuts a message into parts of at most limit characters, between lines or
// words if it can. Blocks of code are closed and opened again. limit is at least 50.
func Split(text string, limit int) []string {
	var parts []string
	lang, open := "", false
	for {
		head := ""
		if open {
			head = "```" + lang + "\n"
		}
		if length(head)+length(text) <= limit {
			if text = strings.Trim(head+text, "\n"); strings.TrimSpace(text) != "" {
				parts = append(parts, text)
			}
			return parts
		}
		// Room for a fence at the end.
		room := limit - length(head) - 4
		cut := cutAt(text, room)
		piece := text[:cut]
		text = strings.TrimPrefix(text[cut:], "\n")
		if !open {
			text = strings.TrimLeft(text, " ")
		}
		lang, open = fenceState(piece, lang, open)
		piece = head + strings.TrimRight(piece, "\n ")
		if open {
			piece += "\n```"
		}
		if strings.TrimSpace(piece) != "" {
			parts = append(parts, strings.TrimLeft(piece, "\n"))
		}
	}
}

// length counts as Discord does, or more: in units of UTF-16.
func length(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

// cutAt is where to cut, in bytes, so that the first part has at most room
// characters.
func cutAt(text string, room int) int {
	end, n := 0, 0
	for i, r := range text {
		if n++; r > 0xffff {
			n++
		}
		if n > room {
			end = i
			break
		}
		end = i + utf8.RuneLen(r)
	}
	if end >= len(text) {
		return len(text)
	}
	window := text[:end]
	if i := strings.LastIndexByte(window, '\n'); i > end/2 {
		return i
	}
	if i := strings.LastIndexByte(window, ' '); i > end/2 {
		return i
	}
	// A mention or an address in angle brackets must not be cut, nor an escape.
	if i := strings.LastIndexByte(window, '<'); i > end/2 && !strings.Contains(window[i:], ">") {
		return i
	}
	if strings.HasSuffix(window, "\\") && end > 1 {
		return end - 1
	}
	if end == 0 { // one character that is too long
		_, n := utf8.DecodeRuneInString(text)
		return n
	}
	return end
}

// fenceState follows the fences in a piece of a message.
func fenceState(piece, lang string, open bool) (string, bool) {
	for {
		i := strings.Index(piece, "```")
		if i < 0 {
			return lang, open
		}
		piece = piece[i+3:]
		if open = !open; open {
			first, _, found := strings.Cut(piece, "\n")
			if lang = ""; found && !strings.ContainsAny(first, " `") {
				lang = first
			}
		}
	}
}
