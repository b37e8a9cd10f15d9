package registration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// watchTargets are the folders to watch for some paths, and which names in them matter.
type watchTargets struct {
	paths []string // absolute
	dirs  []string // existing folders, absolute
	links []string // folders that hold the targets of symbolic links
}

// newWatchTargets looks at what exists now. Of what does not, the nearest folder that does
// is watched, so that files and folders may appear later.
func newWatchTargets(paths []string) *watchTargets {
	t := &watchTargets{}
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			continue // there is no working folder any more
		}
		t.paths = append(t.paths, abs)
		t.add(abs)
		t.add(filepath.Dir(abs))
		if hasGlob(abs) {
			t.addGlob(abs)
		}
	}
	files, _ := expand(paths)
	for _, file := range files {
		t.addLink(file)
	}
	slices.Sort(t.dirs)
	t.dirs = slices.Compact(t.dirs)
	slices.Sort(t.links)
	t.links = slices.Compact(t.links)
	return t
}

// add watches a folder, or the nearest one above that exists.
func (t *watchTargets) add(dir string) {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			t.dirs = append(t.dirs, dir)
			return
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return
		}
		dir = parent
	}
}

// addGlob watches each folder that a part of the glob matches.
func (t *watchTargets) addGlob(glob string) {
	for dir := filepath.Dir(glob); ; dir = filepath.Dir(dir) {
		if !hasGlob(dir) {
			t.add(dir)
			return
		}
		matches, _ := filepath.Glob(dir) // a bad glob is reported when it is loaded
		for _, m := range matches {
			t.add(m)
		}
	}
}

// addLink watches the folder that a file really is in.
func (t *watchTargets) addLink(file string) {
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		return
	}
	if real, err = filepath.Abs(real); err != nil {
		return
	}
	abs, err := filepath.Abs(file)
	if err != nil || real == abs {
		return
	}
	t.dirs = append(t.dirs, filepath.Dir(real))
	t.links = append(t.links, filepath.Dir(real))
}

// concerns is whether a change of that name can be a change of the registrations. Folders
// with registrations may hold busy files of others.
func (t *watchTargets) concerns(name string) bool {
	name = filepath.Clean(name)
	dir, base := filepath.Split(name)
	dir = filepath.Clean(dir)
	if slices.Contains(t.links, dir) {
		return true
	}
	for _, path := range t.paths {
		ext := filepath.Ext(base)
		switch {
		case name == path, strings.HasPrefix(path, name+string(filepath.Separator)):
			return true
		case dir == path:
			// "..data" is how Kubernetes replaces all files of a folder at once.
			if ext == ".yaml" || ext == ".yml" || strings.HasPrefix(base, "..") {
				return true
			}
		case hasGlob(path) && matchesPart(path, name):
			return true
		}
	}
	return false
}

// matchesPart is whether a name matches a glob or a folder part of it.
func matchesPart(glob, name string) bool {
	for {
		if ok, err := filepath.Match(glob, name); err == nil && ok {
			return true
		}
		parent := filepath.Dir(glob)
		if parent == glob || !hasGlob(parent) {
			return false
		}
		glob = parent
	}
}
