package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// description is what a command says of itself: shell completions and manual pages are made of it, so
// that they can't differ from what the program does.
type description struct {
	name, short string // name is the whole, "landbridge user create"
	usage       string
	flags       []*flag.Flag
	subs        []*description
}

// describe asks all commands what they are.
func describe(ctx context.Context) (*description, error) {
	d := &description{name: "landbridge", short: "Matrix homeserver and host of bridges", usage: "landbridge COMMAND [ARGUMENTS]"}
	err := d.commands(ctx, commands(), stdio{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	if !errors.Is(err, helpError{}) {
		return nil, err
	}
	return d, nil
}

// commands asks a list of commands.
func (d *description) commands(ctx context.Context, list []command, std stdio) error {
	if d.usage == "" {
		d.usage = d.name + " COMMAND [ARGUMENTS]"
	}
	for _, c := range list {
		sub := &description{name: d.name + " " + c.name, short: c.short}
		inner := std
		inner.describe = sub
		if err := c.run(ctx, nil, inner); !errors.Is(err, helpError{}) {
			return fmt.Errorf("%s did something instead of describing itself: %w", sub.name, err)
		}
		d.subs = append(d.subs, sub)
	}
	return helpError{}
}

// take notes what a command's flags are.
func (d *description) take(fs *flag.FlagSet, usage string) {
	d.usage = usage
	fs.VisitAll(func(f *flag.Flag) { d.flags = append(d.flags, f) })
}

// all are the description and those below it.
func (d *description) all() []*description {
	out := []*description{d}
	for _, s := range d.subs {
		out = append(out, s.all()...)
	}
	return out
}

// last is the last word of the name.
func (d *description) last() string { return d.name[strings.LastIndexByte(d.name, ' ')+1:] }

// runCompletion is "landbridge completion".
func runCompletion(ctx context.Context, args []string, std stdio) error {
	rest, err := parseFlags(newFlags("landbridge completion"), "landbridge completion bash|zsh|fish", args, std)
	if err != nil {
		return err
	}
	writers := map[string]func(io.Writer, *description) error{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	if len(rest) != 1 || writers[rest[0]] == nil {
		return usageError("landbridge completion: name the shell: bash, zsh or fish")
	}
	d, err := describe(ctx)
	if err != nil {
		return err
	}
	return writers[rest[0]](std.Out, d)
}

// words are what can stand behind a command: commands below it, or its flags.
func (d *description) words() (out []string) {
	for _, s := range d.subs {
		out = append(out, s.last())
	}
	for _, f := range d.flags {
		out = append(out, "-"+f.Name)
	}
	slices.Sort(out)
	return out
}

func bashCompletion(w io.Writer, d *description) error {
	var cases strings.Builder
	var names []string
	for _, c := range d.all() {
		names = append(names, c.name)
		fmt.Fprintf(&cases, "    %q) words=%q ;;\n", c.name, strings.Join(c.words(), " "))
	}
	_, err := fmt.Fprintf(w, `# Completion of landbridge for bash: source this file, or put it into
# /usr/share/bash-completion/completions/landbridge.
_landbridge() {
  local cur=${COMP_WORDS[COMP_CWORD]} path=landbridge words="" i
  local known="|%s|"
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ $known == *"|$path ${COMP_WORDS[i]}|"* ]] || break
    path+=" ${COMP_WORDS[i]}"
  done
  case $path in
%s  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _landbridge landbridge
`, strings.Join(names, "|"), cases.String())
	return err
}

// zshCompletion has zsh use what is made for bash.
func zshCompletion(w io.Writer, d *description) error {
	if _, err := io.WriteString(w, "# Completion of landbridge for zsh: source this file.\nautoload -Uz bashcompinit && bashcompinit\n"); err != nil {
		return err
	}
	return bashCompletion(w, d)
}

func fishCompletion(w io.Writer, d *description) error {
	fmt.Fprint(w, "# Completion of landbridge for fish: put it into ~/.config/fish/completions/landbridge.fish.\n")
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
	for _, c := range d.all() {
		path := strings.Fields(c.name)[1:]
		when := "__fish_use_subcommand"
		if len(path) > 0 {
			when = "__fish_seen_subcommand_from " + strings.Join(path, "; and __fish_seen_subcommand_from ")
		}
		if len(path) == 1 && len(c.subs) > 0 {
			var below []string
			for _, s := range c.subs {
				below = append(below, s.last())
			}
			when += "; and not __fish_seen_subcommand_from " + strings.Join(below, " ")
		}
		for _, s := range c.subs {
			fmt.Fprintf(w, "complete -c landbridge -n %s -f -a %s -d %s\n", quote(when), s.last(), quote(s.short))
		}
		for _, f := range c.flags {
			_, usage := flag.UnquoteUsage(f)
			if _, err := fmt.Fprintf(w, "complete -c landbridge -n %s -o %s -d %s\n", quote(when), f.Name, quote(usage)); err != nil {
				return err
			}
		}
	}
	return nil
}
