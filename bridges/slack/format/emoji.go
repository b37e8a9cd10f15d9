package format

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

// emojiTable has one emoji a line: Slack's names for it, the emoji, and a t if it
// comes in skin tones. The names are those of github.com/iamcal/emoji-data, which Slack
// uses.
//
//go:embed emoji.tsv
var emojiTable string

type emojiInfo struct {
	text  string
	tones bool
}

type emojiTables struct {
	byName map[string]emojiInfo
	byText map[string]string // without variation selectors and tones
}

var emojis = sync.OnceValue(func() emojiTables {
	t := emojiTables{byName: make(map[string]emojiInfo), byText: make(map[string]string)}
	for line := range strings.Lines(emojiTable) {
		names, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		text, tones, _ := strings.Cut(rest, "\t")
		for i, name := range strings.Split(names, ",") {
			t.byName[name] = emojiInfo{text, tones != ""}
			if i == 0 {
				t.byText[bareEmoji(text)] = name
			}
		}
	}
	// Slack's own names beside the table's.
	for alias, name := range map[string]string{"simple_smile": "slightly_smiling_face", "hand": "hand", "male": "male_sign", "female": "female_sign"} {
		if _, ok := t.byName[alias]; !ok {
			t.byName[alias] = t.byName[name]
		}
	}
	return t
})

const (
	firstTone = 0x1F3FB
	lastTone  = 0x1F3FF
	selector  = 0xFE0F
)

// bareEmoji removes selectors and tones from an emoji that is more than these.
func bareEmoji(s string) string {
	bare := strings.Map(func(r rune) rune {
		if r == selector || r >= firstTone && r <= lastTone {
			return -1
		}
		return r
	}, s)
	if bare == "" {
		return s
	}
	return bare
}

// Emoji returns the Unicode emoji that Slack calls name, with a suffix such as
// "::skin-tone-3" for the skin tone, or false for a custom or unknown one.
func Emoji(name string) (string, bool) {
	base, tone, _ := strings.Cut(name, "::skin-tone-")
	info, ok := emojis().byName[base]
	if !ok {
		return "", false
	}
	if tone == "" || !info.tones {
		return info.text, true
	}
	first, _, _ := strings.Cut(tone, "-")
	n, err := strconv.Atoi(first)
	if err != nil || n < 2 || n > 6 {
		return info.text, true
	}
	runes := []rune(info.text)
	rest := runes[1:]
	if len(rest) > 0 && rest[0] == selector {
		rest = rest[1:]
	}
	return string(runes[0]) + string(rune(firstTone+n-2)) + string(rest), true
}

// EmojiName returns Slack's name for a Unicode emoji, with its skin tone if it has
// one, or false if Slack has none.
func EmojiName(text string) (string, bool) {
	name, ok := emojis().byText[bareEmoji(text)]
	if !ok {
		return "", false
	}
	if emojis().byName[name].tones {
		for _, r := range text {
			if r >= firstTone && r <= lastTone {
				return name + "::skin-tone-" + strconv.Itoa(int(r)-firstTone+2), true
			}
		}
	}
	return name, true
}

// emojiText returns what an inline emoji looks like, or "" for a custom one.
func emojiText(in Inline) string {
	name := in.Name
	if in.SkinTone >= 2 && in.SkinTone <= 6 && !strings.Contains(name, "::") {
		name += "::skin-tone-" + strconv.Itoa(in.SkinTone)
	}
	if text, ok := Emoji(name); ok {
		return text
	}
	var b strings.Builder
	for _, hex := range strings.Split(in.Unicode, "-") {
		r, err := strconv.ParseUint(hex, 16, 21)
		if err != nil || r == 0 || r >= 0xD800 && r < 0xE000 || r > 0x10FFFF {
			return ""
		}
		b.WriteRune(rune(r))
	}
	return b.String()
}
