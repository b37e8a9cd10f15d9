package media

import (
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"
)

const defaultType = "application/octet-stream"

// Bounds of what is kept of an uploader's words.
const (
	maxType = 255
	maxName = 255
)

// cleanType is a MIME type as it can be sent in a header. Specification: "The server MUST return
// a Content-Type which is either exactly the same as the original upload, or reasonably close":
// what is well-formed stays as it is.
func cleanType(t string) string {
	t = strings.TrimSpace(t)
	if len(t) > maxType || strings.ContainsFunc(t, func(c rune) bool { return c < ' ' || c > '~' }) {
		return defaultType
	}
	media, _, err := mime.ParseMediaType(t)
	if kind, sub, ok := strings.Cut(media, "/"); err != nil || !ok || kind == "" || sub == "" {
		return defaultType
	}
	return t
}

// cleanName is a file name without what could fool a header, a terminal or a file system.
func cleanName(name string) string {
	name = strings.Map(func(c rune) rune {
		// Controls, and the marks that turn the direction of writing around ("gpj.exe").
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(name, ""))
	for len(name) > maxName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

// inline are the types that may be shown in place. Specification, "Serving inline content":
// "Servers SHOULD restrict Content-Type headers to one of the following values when serving content
// with Content-Disposition: inline".
var inline = map[string]bool{
	"text/css": true, "text/plain": true, "text/csv": true, "application/json": true, "application/ld+json": true,
	"image/jpeg": true, "image/gif": true, "image/png": true, "image/apng": true, "image/webp": true, "image/avif": true,
	"video/mp4": true, "video/webm": true, "video/ogg": true, "video/quicktime": true,
	"audio/mp4": true, "audio/webm": true, "audio/aac": true, "audio/mpeg": true, "audio/ogg": true, "audio/wave": true,
	"audio/wav": true, "audio/x-wav": true, "audio/x-pn-wav": true, "audio/flac": true, "audio/x-flac": true,
}

// Disposition is the Content-Disposition of a file: how to show it, and its name in the form of
// RFC 6266 (with RFC 8187 for what is not ASCII).
func Disposition(contentType, name string) string {
	how := "attachment"
	if media, _, err := mime.ParseMediaType(contentType); err == nil && inline[media] {
		how = "inline"
	}
	if name == "" {
		return how
	}
	if out := mime.FormatMediaType(how, map[string]string{"filename": name}); out != "" {
		return out
	}
	return how
}

// contentSecurity is what the specification recommends: "When serving content, the server SHOULD
// provide a Content-Security-Policy header. The recommended policy is ...".
const contentSecurity = "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';"
