package words

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, want string }{
		{"", ""},
		{" .,!", ""},
		{"Hello, World", "hello world"},
		{"don't", "don t"},
		{"Ünïcode Straße", "unicode strasse"},
		{"Đặng Łódź", "dang lodz"},
		{"ΟΔΟΣ οδός", "οδοσ οδοσ"},
		{"Ёлка", "елка"},
		{"ＡＢＣ１２", "abc12"},
		{"v1.2.3", "v1 2 3"},
		{"東京都", "東京 京都 都"},
		{"東", "東"},
		{"今日はGoで", "今日 日は は go で"},
		{"カー", "カー ー"},
		{"ｶﾀｶﾅ", "カタ タカ カナ ナ"},
		{"한국어", "한국 국어 어"},
		{"ไทย", "ไท ทย ย"},
		{"🎂cake", "🎂 cake"},
		{"नमस्ते", "नमस्ते"},
	} {
		var got []string
		for _, k := range Split(tc.text, 100) {
			got = append(got, k.Text)
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%q: got %q, want %q", tc.text, s, tc.want)
		}
	}
	if n := len(Split(strings.Repeat("東京 ab ", 1000), 7)); n != 7 {
		t.Errorf("the limit was 7, and there are %d tokens", n)
	}
}

func TestWanted(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]string{"東京都 go": "東京 京都 go", "都": "都", "東京 都": "東京 都", "a 東": "a 東"} {
		var got []string
		for _, k := range Wanted(Split(question, 100)) {
			got = append(got, k.Text)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: got %q, want %q", question, s, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("Hello 東京 🎂")
	f.Add("\xff\xfeabc")
	f.Add("e\u0301\u0301\u0301")
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range Split(text, 50) {
			if k.Text == "" || !utf8.ValidString(k.Text) || strings.ContainsAny(k.Text, " \"\x00") {
				t.Errorf("%q: token %q", text, k.Text)
			}
		}
	})
}
