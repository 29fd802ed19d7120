package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/jotsuite/jot/jose/jwa"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (*completionCmd) Help() string {
	return `bash: jot completion bash > /etc/bash_completion.d/jot

zsh: jot completion zsh > "${fpath[1]}/_jot"

fish: jot completion fish > ~/.config/fish/completions/jot.fish`
}

func (c *completionCmd) Run(a *app) error {
	commands := commandTree(a.model.Node)
	write := map[string]func([]command) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	a.data(write[c.Shell](commands))
	return nil
}

// command is a node of the command line as completions and the manual see it.
type command struct {
	path  string // "key new"; empty for jot itself
	help  string
	subs  []option // its subcommands
	flags []option
	words []string // what its argument can be, where that is a list
}

type option struct {
	name, help string
	value      bool // takes a value
	file       bool
	words      []string
}

// commandTree lists every command that is not hidden, parents first.
func commandTree(root *kong.Node) []command {
	var list []command
	var visit func(n *kong.Node, path []string)
	visit = func(n *kong.Node, path []string) {
		c := command{path: strings.Join(path, " "), help: n.Help}
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				o := option{name: f.Name, help: f.Help, value: !f.IsBool()}
				o.file = strings.HasPrefix(f.PlaceHolder, "FILE")
				switch {
				case f.Enum != "":
					o.words = f.EnumSlice()
				default:
					o.words = wordList(f.Tag.Get("words"))
				}
				c.flags = append(c.flags, o)
				if f.Tag.Negatable != "" {
					c.flags = append(c.flags, option{name: "no-" + f.Name, help: "Not so: " + f.Help})
				}
			}
		}
		for _, p := range n.Positional {
			switch {
			case p.Enum != "":
				c.words = p.EnumSlice()
			default:
				c.words = wordList(p.Tag.Get("words"))
			}
		}
		for _, child := range n.Children {
			if !child.Hidden {
				c.subs = append(c.subs, option{name: child.Name, help: child.Help})
			}
		}
		list = append(list, c)
		for _, child := range n.Children {
			if !child.Hidden {
				visit(child, append(path[:len(path):len(path)], child.Name))
			}
		}
	}
	visit(root, nil)
	return list
}

// wordList is what the tag words of an option or an argument stands for.
func wordList(tag string) []string {
	var list []string
	switch tag {
	case "signatures":
		list = tableNames(jwa.Signatures())
	case "key-management":
		list = tableNames(jwa.KeyManagement())
	case "algorithms":
		list = append(tableNames(jwa.Signatures()), tableNames(jwa.KeyManagement())...)
	case "encryptions":
		list = tableNames(jwa.Encryptions())
	case "curves":
		list = curves
	case "profiles":
		list = profileNames()
	case "kinds":
		list = kindNames()
	case "terms":
		for _, t := range terms() {
			list = append(list, t.word)
		}
	}
	return list
}

func names(list []option, prefix string) []string {
	var out []string
	for _, o := range list {
		out = append(out, prefix+o.name)
	}
	return out
}

func bashCompletion(commands []command) string {
	var b strings.Builder
	b.WriteString(`# bash completion for jot
_jot() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$path ${COMP_WORDS[i]}" in
`)
	var paths []string
	for _, c := range commands[1:] {
		paths = append(paths, `" `+c.path+`"`)
	}
	fmt.Fprintf(&b, "        %s) path+=\" ${COMP_WORDS[i]}\" ;;\n        esac\n    done\n    case \"$path $prev\" in\n", strings.Join(paths, "|"))
	for _, c := range commands {
		for _, f := range c.flags {
			if len(f.words) > 0 {
				fmt.Fprintf(&b, "    %q) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", space(c.path)+" --"+f.name, strings.Join(f.words, " "))
			}
		}
	}
	b.WriteString("    esac\n    local flags= words=\n    case \"$path\" in\n")
	for _, c := range commands {
		words := append(names(c.subs, ""), c.words...)
		fmt.Fprintf(&b, "    %q) flags=%q words=%q ;;\n", space(c.path), strings.Join(names(c.flags, "--"), " "), strings.Join(words, " "))
	}
	b.WriteString(`    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
    elif [[ $cur == @* ]]; then
        COMPREPLY=($(compgen -P @ -f -- "${cur#@}"))
    elif [[ -n $words ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    else
        COMPREPLY=($(compgen -f -- "$cur"))
    fi
}
complete -o filenames -F _jot jot
`)
	return b.String()
}

// space puts a space before a path that is not empty.
func space(path string) string {
	if path == "" {
		return ""
	}
	return " " + path
}

func zshCompletion(commands []command) string {
	var b strings.Builder
	b.WriteString("#compdef jot\n# zsh completion for jot\n\n")
	quote := strings.NewReplacer(`'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`)
	for _, c := range commands {
		fmt.Fprintf(&b, "_jot%s() {\n", strings.ReplaceAll(space(c.path), " ", "_"))
		if len(c.subs) > 0 {
			b.WriteString("    local line state\n    local -a commands=(\n")
			for _, s := range c.subs {
				fmt.Fprintf(&b, "        '%s:%s'\n", s.name, quote.Replace(s.help))
			}
			b.WriteString("    )\n")
		}
		b.WriteString("    _arguments -C -s")
		for _, f := range c.flags {
			action := ""
			switch {
			case len(f.words) > 0:
				action = ":value:(" + strings.Join(f.words, " ") + ")"
			case f.file:
				action = ":file:_files"
			case f.value:
				action = ":value: "
			}
			fmt.Fprintf(&b, " \\\n        '*--%s[%s]%s'", f.name, quote.Replace(f.help), action)
		}
		switch {
		case len(c.subs) > 0:
			b.WriteString(" \\\n        '1:command:->command' '*::arg:->args'\n    case $state in\n    command) _describe command commands ;;\n    args)\n        case $line[1] in\n")
			for _, s := range c.subs {
				fmt.Fprintf(&b, "        %s) _jot%s ;;\n", s.name, strings.ReplaceAll(space(c.path)+" "+s.name, " ", "_"))
			}
			b.WriteString("        esac ;;\n    esac\n")
		case len(c.words) > 0:
			fmt.Fprintf(&b, " \\\n        '1:word:(%s)'\n", strings.Join(c.words, " "))
		default:
			b.WriteString(" \\\n        '*:file:_files'\n")
		}
		b.WriteString("}\n\n")
	}
	b.WriteString("if [ \"$funcstack[1]\" = _jot ]; then\n    _jot \"$@\"\nelse\n    compdef _jot jot\nfi\n")
	return b.String()
}

func fishCompletion(commands []command) string {
	var b strings.Builder
	b.WriteString(`# fish completion for jot
function __jot_at
    set -l words (commandline -opc)[2..-1]
    set -l path
    for w in $words
        string match -q -- '-*' $w; or set -a path $w
    end
    test (count $path) -ge (count $argv); or return 1
    test (count $argv) -eq 0; and return 0
    test "$path[1..(count $argv)]" = "$argv"
end
function __jot_exactly
    set -l words (commandline -opc)[2..-1]
    test "$words" = "$argv"
end
`)
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, c := range commands {
		for _, s := range c.subs {
			fmt.Fprintf(&b, "complete -c jot -f -n '__jot_exactly%s' -a %s -d '%s'\n", space(c.path), s.name, quote.Replace(s.help))
		}
		if len(c.words) > 0 {
			fmt.Fprintf(&b, "complete -c jot -f -n '__jot_at%s' -a '%s'\n", space(c.path), strings.Join(c.words, " "))
		}
		for _, f := range c.flags {
			kind := ""
			switch {
			case len(f.words) > 0:
				kind = " -x -a '" + strings.Join(f.words, " ") + "'"
			case f.file:
				kind = " -r -F"
			case f.value:
				kind = " -x"
			}
			fmt.Fprintf(&b, "complete -c jot -n '__jot_at%s' -l %s%s -d '%s'\n", space(c.path), f.name, kind, quote.Replace(f.help))
		}
	}
	return b.String()
}
