package main

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
)

type storeCmd struct {
	Backup storeBackupCmd `cmd:"" help:"Copy the database while it is in use, as it is at one moment."`
}

type storeBackupCmd struct {
	Out string `arg:"" name:"FILE" help:"Where the copy goes: a new file."`

	serviceFlags `embed:""`
}

func (*storeBackupCmd) Help() string {
	return `The copy is a database that jot serve --store sqlite:FILE can use, with the same secrets: what is in it is good for nothing without them, and they are not in it. Keep the file "secrets" of the folder, or what the configuration names in its place, somewhere else. For PostgreSQL use pg_dump.

It holds the private keys that sign tokens, and is for this user alone.

Examples:
  jot store backup /backup/jot-$(date +%F).db
  jot store backup --config jot.yaml /backup/jot.db`
}

func (c *storeBackupCmd) Run(a *app) error {
	f, err := c.settle()
	if err != nil {
		return err
	}
	path, ok := f.sqlite()
	if !ok {
		hint := "nothing is kept in memory"
		if !f.isMemory() {
			hint = "pg_dump copies a database of PostgreSQL while it is in use"
		}
		return fail(exitUsage, hint, "the store is not a file of SQLite")
	}
	if _, err := os.Stat(path); err != nil { // which opening it would make
		return fileFailure(path, err)
	}
	// SQLite writes into an empty file, and keeps its mode.
	out, err := os.OpenFile(c.Out, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitFile, "a backup overwrites nothing; give another name", "%s exists", label(c.Out))
	}
	if err != nil {
		return fail(exitFile, "check the name; the folder has to exist", "cannot write %s: %s", label(c.Out), reason(err))
	}
	defer out.Close()
	if err := backUp(path, c.Out); err != nil {
		_ = os.Remove(c.Out)
		return fail(exitFile, "", "cannot copy %s: %v", label(path), err)
	}
	if err := out.Sync(); err != nil {
		return fail(exitFile, "", "cannot write %s: %s", label(c.Out), reason(err))
	}
	a.talk(green, "ok:", label(path)+" is copied to "+label(c.Out)+"; it needs the server's secrets, which are to be kept elsewhere")
	return nil
}

// backUp copies a database in one transaction that reads: others write meanwhile.
func backUp(from, to string) error {
	db, err := sql.Open("sqlite", from)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("PRAGMA busy_timeout = 10000"); err != nil {
		return err
	}
	_, err = db.Exec("VACUUM INTO ?", to)
	return err
}
