package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/registration"
)

func runRegistration(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge registration", []command{
		{"generate", "make a registration file with fresh tokens", runRegistrationGenerate},
		{"check", "say what is wrong with registration files, and what they give", runRegistrationCheck},
		{"list", "list the registrations of the configuration", runRegistrationList},
	}, args, std)
}

func runRegistrationGenerate(_ context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge registration generate")
	var o registration.Options
	var out, protocols string
	path := configFlag(fs)
	fs.StringVar(&o.ID, "id", "", "the `name` of the application service, which never changes (required)")
	fs.StringVar(&o.URL, "url", "", "the `address` of the bridge, http://localhost:29328 say; without it no events are sent")
	fs.StringVar(&o.Module, "module", "", "the bridge `module` in this server's process, instead of -url")
	fs.StringVar(&o.ServerName, "server-name", "", "the homeserver's `name`; else that of the configuration")
	fs.StringVar(&o.Localpart, "localpart", "", "the `name` of the bridge's bot (default the id and \"bot\")")
	fs.StringVar(&o.Prefix, "prefix", "", "the `beginning` of the names of the bridge's users and aliases (default the id and \"_\")")
	fs.StringVar(&protocols, "protocols", "", "networks that it bridges to, separated by `commas`")
	fs.BoolVar(&o.Encryption, "encryption", false, "switch on what end-to-end encryption in the bridge needs")
	fs.StringVar(&out, "o", "", "the `file` to write, which must not exist yet; else standard output")
	rest, err := parseFlags(fs, "landbridge registration generate -id NAME [-url ADDRESS | -module MODULE] [-o FILE] [FLAGS]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("%s: too many arguments: %s", fs.Name(), strings.Join(rest, " "))
	}
	if o.ID == "" {
		return usageError("%s: -id is missing, irc say", fs.Name())
	}
	if o.ServerName == "" {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		o.ServerName = c.Server.Name
	}
	for p := range strings.SplitSeq(protocols, ",") {
		if p = strings.TrimSpace(p); p != "" {
			o.Protocols = append(o.Protocols, p)
		}
	}
	r, err := registration.Generate(o)
	if err != nil {
		return err
	}
	data, err := r.Marshal()
	if err != nil {
		return err
	}
	if out == "" {
		_, err = std.Out.Write(data)
		return err
	}
	if err := writeNew(out, data); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Err, "Wrote %s. Name it in app_services.registrations, and give it to the bridge too; it holds secrets.\n", out)
	return err
}

// writeNew writes a file with secrets, and none that exists.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already and is left as it is; fresh tokens would lock its bridge out", path)
	}
	if err != nil {
		return fmt.Errorf("write the registration: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the registration: %w", err)
	}
	return nil
}

// registrationsChecked is what programs are told of registrations: the files that are good, and what is wrong, of which
// Errors are more than warnings.
type registrationsChecked struct {
	Good     []string `json:"good"`
	Problems []string `json:"problems"`
	Errors   int      `json:"errors"`
}

func runRegistrationCheck(_ context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge registration check")
	asJSON := fs.Bool("json", false, "print JSON")
	path := configFlag(fs)
	var name string
	var quiet bool
	fs.StringVar(&name, "server-name", "", "the homeserver's `name`; else that of the configuration, if there is one")
	fs.BoolVar(&quiet, "q", false, "print problems only, not what the registrations give")
	files, err := parseFlags(fs, "landbridge registration check [-q] [-json] [-c FILE] [-server-name NAME] [FILE, FOLDER or GLOB ...]", args, std)
	if err != nil {
		return err
	}
	// Without a configuration the server's name is not known, so what depends on it is left out.
	if *path != "" || len(files) == 0 || os.Getenv(config.EnvConfig) != "" || os.Getenv(config.EnvPrefix+"SERVER_NAME") != "" {
		c, err := loadConfig(*path)
		if err != nil {
			return err
		}
		if name == "" {
			name = c.Server.Name
		}
		if len(files) == 0 {
			files = c.AppServices.Registrations
		}
	}
	set, err := registration.Load(name, files)
	if err != nil {
		return err
	}
	problems := set.Problems()
	if *asJSON {
		out := registrationsChecked{Good: []string{}, Problems: []string{}, Errors: len(problems.Errors())}
		for _, r := range set.All() {
			out.Good = append(out.Good, r.File())
		}
		for _, p := range problems {
			out.Problems = append(out.Problems, p.Error())
		}
		if err := printJSON(std, out); err != nil || out.Errors == 0 {
			return err
		}
		return &exitError{code: exitFailure}
	}
	for _, p := range problems {
		fmt.Fprintln(std.Out, p.Error())
	}
	if !quiet {
		for _, r := range set.All() {
			fmt.Fprintf(std.Out, "%s: good\n", r.File())
			for _, line := range r.Explain(name) {
				fmt.Fprintf(std.Out, "    %s\n", line)
			}
		}
	}
	if errs := len(problems.Errors()); errs > 0 {
		return &exitError{exitFailure, fmt.Sprintf("%s, %s; %s good",
			count(errs, "error"), count(len(problems)-errs, "warning"), count(len(set.All()), "registration"))}
	}
	_, err = fmt.Fprintf(std.Out, "%s good, %s\n", count(len(set.All()), "registration"), count(len(problems), "warning"))
	return err
}

// count is a number with its noun.
func count(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// listed is one registration in the output of list -json.
type listed struct {
	ID         string                `json:"id"`
	File       string                `json:"file"`
	URL        string                `json:"url,omitempty"`
	Module     string                `json:"module,omitempty"`
	Sender     string                `json:"sender"`
	Namespaces map[string][]claimed  `json:"namespaces"`
	Problems   registration.Problems `json:"problems,omitempty"`
	Status     *serviceStatus        `json:"status,omitempty"` // while the server runs
}

type claimed struct {
	Regex     string `json:"regex"`
	Exclusive bool   `json:"exclusive"`
}

func runRegistrationList(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge registration list")
	path := configFlag(fs)
	var asJSON bool
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	rest, err := parseFlags(fs, "landbridge registration list [-c FILE] [-json]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("%s: too many arguments: %s", fs.Name(), strings.Join(rest, " "))
	}
	c, err := loadConfig(*path)
	if err != nil {
		return err
	}
	set, err := registration.Load(c.Server.Name, c.AppServices.Registrations)
	if err != nil {
		return err
	}
	list, others := listing(set, c.Server.Name)
	// How the services stand is known only while the server runs.
	if st, err := askStatus(ctx, *path); err == nil {
		for i := range list {
			for _, s := range st.Services {
				if s.ID == list[i].ID {
					list[i].Status = &s
				}
			}
		}
	}
	if asJSON {
		enc := json.NewEncoder(std.Out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(map[string]any{"registrations": list, "problems": others})
	}
	return printList(std, list, others)
}

// listing pairs each registration with the problems of its file; others are the problems
// of files that are not served.
func listing(set *registration.Set, serverName string) (list []listed, others registration.Problems) {
	list, others = []listed{}, registration.Problems{}
	byFile := map[string]int{}
	for i, r := range set.All() {
		l := listed{ID: r.ID, File: r.File(), URL: r.RedactedURL(), Module: r.Module, Sender: r.SenderID(serverName), Namespaces: map[string][]claimed{}}
		for kind, spaces := range map[string][]registration.Namespace{"users": r.Namespaces.Users, "aliases": r.Namespaces.Aliases, "rooms": r.Namespaces.Rooms} {
			for _, ns := range spaces {
				l.Namespaces[kind] = append(l.Namespaces[kind], claimed{ns.Regex, ns.Exclusive})
			}
		}
		list = append(list, l)
		byFile[l.File] = i
	}
	for _, p := range set.Problems() {
		if i, ok := byFile[p.File]; ok {
			list[i].Problems = append(list[i].Problems, p)
		} else {
			others = append(others, p)
		}
	}
	return list, others
}

func printList(std stdio, list []listed, others registration.Problems) error {
	if len(list) == 0 && len(others) == 0 {
		_, err := fmt.Fprintln(std.Out, "No registrations: app_services.registrations names no files.")
		return err
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tURL OR MODULE\tNAMESPACES\tPROBLEMS\tFILE")
	for _, l := range list {
		target := l.URL
		switch {
		case l.Module != "":
			target = "module " + l.Module
		case target == "":
			target = "none"
		}
		var spaces []string
		for _, kind := range []string{"users", "aliases", "rooms"} {
			for _, ns := range l.Namespaces[kind] {
				text := ns.Regex
				if !ns.Exclusive {
					text += " (shared)"
				}
				spaces = append(spaces, text)
			}
		}
		if len(spaces) == 0 {
			spaces = []string{"none"}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.ID, target, spaces[0], count(len(l.Problems), "warning"), l.File)
		for _, s := range spaces[1:] {
			fmt.Fprintf(w, "\t\t%s\t\t\n", s)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	now := time.Now()
	for _, l := range list {
		switch s := l.Status; {
		case s == nil:
		case s.Reachable:
			fmt.Fprintf(std.Out, "%s has been reachable for %v, and is %d positions of the log behind.\n", l.ID, now.Sub(s.Since).Round(time.Second), s.Behind)
		default:
			fmt.Fprintf(std.Out, "%s has not been reachable for %v, and is %d positions of the log behind: %s\n", l.ID, now.Sub(s.Since).Round(time.Second), s.Behind, s.LastError)
		}
	}
	for _, l := range list {
		for _, p := range l.Problems {
			fmt.Fprintln(std.Out, p.Error())
		}
	}
	for _, p := range others {
		fmt.Fprintln(std.Out, p.Error())
	}
	if errs := len(others.Errors()); errs > 0 {
		_, err := fmt.Fprintf(std.Out, "Not served because of %s above.\n", count(errs, "error"))
		return err
	}
	return nil
}
