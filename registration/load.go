package registration

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
)

// servedFile is what is known of a file whose registration is served.
type servedFile struct {
	sum [sha256.Size]byte // of the content that the registration was read from
	reg *Registration
}

// candidate is a file on its way into a Set.
type candidate struct {
	path     string
	order    int
	sum      [sha256.Size]byte
	reg      *Registration // what it says now, or nil if that is no use
	old      *servedFile   // what was served before, if anything
	problems Problems
	served   *servedFile
}

// unchanged is whether what would be served is what has been served before.
func (c *candidate) unchanged() bool { return c.old != nil && (c.reg == nil || c.sum == c.old.sum) }

// load makes a Set. With a previous one, what was served goes first and stays served: a
// newcomer does not push it out, and the old version of a file takes the place of a new
// one that is no use.
func load(serverName string, paths []string, builtin []*Registration, prev *Set) (*Set, error) {
	s := &Set{serverName: serverName, files: map[string]servedFile{}}
	adm, err := newAdmission(serverName)
	if err != nil {
		return nil, err
	}
	for _, r := range builtin {
		s.problems = append(s.problems, adm.admit(r)...)
	}
	regs := slices.Clone(adm.regs)

	files, problems := expand(paths)
	s.problems = append(s.problems, problems...)
	list := make([]*candidate, len(files))
	for i, path := range files {
		list[i] = read(path, i, prev)
	}
	admitAll(adm, list)

	lint, err := newLinter(serverName, adm.patterns)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.served != nil {
			regs = append(regs, c.served.reg)
			s.files[c.path] = *c.served
			if c.problems.Err() != nil {
				c.problems = append(c.problems, Problem{File: c.path, Severity: diag.Warning,
					Message: "the version of this file that was loaded before stays in service"})
			}
			if c.served.sum == c.sum {
				c.problems = append(c.problems, lint.lint(c.served.reg)...)
			}
		}
		c.problems.Sort()
		s.problems = append(s.problems, c.problems...)
	}
	return s, s.finish(regs, adm.patterns)
}

// read makes a candidate of a file.
func read(path string, order int, prev *Set) *candidate {
	c := &candidate{path: path, order: order}
	if prev != nil {
		if old, ok := prev.files[path]; ok {
			c.old = &old
		}
	}
	data, err := readFile(path)
	if err != nil {
		c.problems = Problems{fileProblem(path, err)}
		return c
	}
	c.sum = sha256.Sum256(data)
	if c.old != nil && c.old.sum == c.sum {
		c.reg = c.old.reg
		return c
	}
	if c.reg, err = Parse(path, data); err != nil {
		c.problems = asProblems(err)
	}
	return c
}

// admitAll admits first what is served already, then new versions of it, then newcomers.
func admitAll(adm *admission, list []*candidate) {
	rank := func(c *candidate) int {
		switch {
		case c.unchanged():
			return 0
		case c.old != nil:
			return 1
		}
		return 2
	}
	ordered := slices.Clone(list)
	slices.SortStableFunc(ordered, func(a, b *candidate) int { return cmp.Compare(rank(a), rank(b)) })
	for _, c := range ordered {
		if c.reg != nil {
			ps := adm.admit(c.reg)
			c.problems = append(c.problems, ps...)
			if ps.Err() == nil {
				c.served = &servedFile{c.sum, c.reg}
				continue
			}
		}
		if c.old == nil || c.reg == c.old.reg {
			continue
		}
		// What contradicts the old version, if anything does, is news about another file.
		if ps := adm.admit(c.old.reg); ps.Err() == nil {
			c.served = c.old
		}
	}
}

// expand lists the files that paths name, each once, at most MaxFiles.
func expand(paths []string) ([]string, Problems) {
	var files []string
	var problems Problems
	seen := map[string]bool{}
	add := func(path string) {
		key := path
		if abs, err := filepath.Abs(path); err == nil {
			key = abs
		}
		if !seen[key] {
			seen[key] = true
			files = append(files, path)
		}
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			names, err := yamlFiles(path)
			if err != nil {
				problems = append(problems, fileProblem(path, err))
			}
			for _, name := range names {
				add(name)
			}
		case err == nil:
			add(path)
		case hasGlob(path):
			matches, err := filepath.Glob(path)
			if err != nil {
				problems = append(problems, Problem{File: path, Message: "is no valid glob: " + err.Error(), Fix: `write \[ for a bracket that is meant itself`})
			}
			slices.Sort(matches)
			for _, m := range matches {
				if info, err := os.Stat(m); err != nil || !info.IsDir() {
					add(m)
				}
			}
		default:
			// The file is a candidate all the same: what it held before stays served until
			// it is no longer asked for. read says what is the matter.
			add(path)
		}
	}
	if len(files) > MaxFiles {
		problems = append(problems, Problem{File: files[MaxFiles], Message: fmt.Sprintf("there are more than %d registration files; this one and those after it are not loaded", MaxFiles)})
		files = files[:MaxFiles]
	}
	return files, problems
}

// yamlFiles are the registration files in a folder, not those in folders within it.
func yamlFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || ext != ".yaml" && ext != ".yml" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		names = append(names, filepath.Join(dir, e.Name()))
	}
	return names, nil
}

func hasGlob(path string) bool { return strings.ContainsAny(path, `*?[`) }

// asProblems is the list in an error of this package.
func asProblems(err error) Problems {
	var ps Problems
	if errors.As(err, &ps) {
		return ps
	}
	return Problems{{Message: err.Error()}}
}
