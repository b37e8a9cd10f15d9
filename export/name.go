package export

import (
	"cmp"
	"fmt"
	"mime"
	"path"
	"slices"
	"strings"
)

// maxName bounds the names of folders and files, in bytes.
const maxName = 60

// folderName makes the name of a room's folder, which no other room has. Names are of a-z, 0-9 and "-", so that every system takes them.
func folderName(r *Room, taken map[string]bool) string {
	alias, _, _ := strings.Cut(strings.TrimPrefix(r.Alias, "#"), ":")
	return unique(cmp.Or(plain(r.Name), plain(alias), plain(r.ID), "room"), taken)
}

func unique(base string, taken map[string]bool) string {
	name := base
	for n := 2; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	taken[name] = true
	return name
}

// plain makes a simple name of a text.
func plain(s string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= maxName {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

// extensions are those of the common types; mime.ExtensionsByType depends on the machine, and gives the oldest first.
var extensions = map[string]string{
	"image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif", "image/webp": ".webp", "image/svg+xml": ".svg",
	"video/mp4": ".mp4", "video/webm": ".webm", "audio/ogg": ".ogg", "audio/mpeg": ".mp3", "application/pdf": ".pdf",
	"text/plain": ".txt", "application/zip": ".zip", "application/json": ".json",
}

// extension is what a file's name ends with: by its type, or else by its name. Those that a browser would run are
// not given: the pages of an export are opened from a folder.
func extension(f *File) string {
	kind, _, err := mime.ParseMediaType(f.Type)
	if ext := extensions[kind]; err == nil && ext != "" && ext != ".svg" {
		return ext
	}
	ext := strings.ToLower(path.Ext(f.Name))
	if simple := plain(ext); len(ext) < 2 || len(ext) > 6 || "."+simple != ext || slices.Contains([]string{"htm", "html", "xhtml", "xht", "svg", "xml", "js", "mjs"}, simple) {
		return ".bin"
	}
	return ext
}
