package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed files
var files embed.FS

// AssetPrefix begins the paths of style sheets, scripts and pictures.
const AssetPrefix = "/_landbridge/page/"

type asset struct {
	data []byte
	typ  string
	// name has a sum of the contents, so that browsers may keep the file for ever.
	name string
}

var assetTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func loadAssets() (map[string]asset, error) {
	entries, err := fs.ReadDir(files, "files")
	if err != nil {
		return nil, fmt.Errorf("reading the files of pages: %w", err)
	}
	out := map[string]asset{}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		typ, ok := assetTypes[ext]
		if !ok {
			continue
		}
		data, err := fs.ReadFile(files, "files/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the files of pages: %w", err)
		}
		sum := sha256.Sum256(data)
		out[e.Name()] = asset{data: data, typ: typ, name: strings.TrimSuffix(e.Name(), ext) + "-" + hex.EncodeToString(sum[:6]) + ext}
	}
	return out, nil
}

// assetPath is the path of a file; unknown files are a mistake of the template's.
func (s *Site) assetPath(name string) (string, error) {
	a, ok := s.assets[name]
	if !ok {
		return "", fmt.Errorf("page: there is no file %q", name)
	}
	return s.Path(AssetPrefix + a.name), nil
}

// ServeAsset serves a path that begins with AssetPrefix.
func (s *Site) ServeAsset(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, AssetPrefix)
	for _, a := range s.assets {
		if a.name != name || r.Method != http.MethodGet && r.Method != http.MethodHead {
			continue
		}
		h := w.Header()
		h.Set("Content-Type", a.typ)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if r.Method == http.MethodGet {
			_, _ = w.Write(a.data) // the browser may be gone
		}
		return
	}
	http.NotFound(w, r)
}
