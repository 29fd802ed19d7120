package sqlstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A dialect is what SQLite and PostgreSQL do not have in common. Statements are written
// with a question mark for each argument.
type dialect struct {
	reader, writer []string // what a new connection executes
	types          *strings.Replacer
	lock           string // what is executed in a transaction that migrates
	begin          string
	forUpdate      string // in a query for what will be changed
	skipLocked     string // the same, passing over what others are changing

	// many says that a statement takes the rows of all writes that are gathered, in arrays;
	// otherwise it takes one, and a connection stays with its writer, who keeps
	// prepared statements.
	many              bool
	checkpoint        string        // copies what is committed from the log of SQLite to its place
	timeout           time.Duration // for a transaction; zero means that the connection has one
	rebound, expanded sync.Map      // results of rebind and expand
	check             string        // a query, whose one result has to be want
	want              string
}

// sqlite is fastest where a transaction is many small statements: each is a call of a
// function.
func sqlite(o Options) *dialect {
	synchronous := "FULL"
	if o.Fast {
		synchronous = "NORMAL"
	}
	both := []string{
		"PRAGMA busy_timeout = " + strconv.FormatInt(o.Timeout.Milliseconds(), 10), // first, for the next ones wait
		"PRAGMA synchronous = " + synchronous,
		"PRAGMA temp_store = MEMORY",
		// See checkpoint, which is there first if it can keep up.
		"PRAGMA wal_autocheckpoint = 32768",
	}
	return &dialect{
		reader: append(both[:len(both):len(both)], "PRAGMA query_only = 1"),
		// The mode is the database's, once it is set.
		writer: append(both[:len(both):len(both)], "PRAGMA journal_mode = WAL", "PRAGMA journal_size_limit = 67108864"),
		types:  strings.NewReplacer("{text}", "TEXT", "{bytes}", "BLOB", "{small}", "WITHOUT ROWID", "{updated}", ""),
		// A transaction that begins to write after it has read fails if another has written
		// in between; one that begins so waits.
		begin:      "BEGIN IMMEDIATE",
		check:      "PRAGMA journal_mode",
		want:       "wal",
		checkpoint: "PRAGMA wal_checkpoint(PASSIVE)",
	}
}

// postgreSQL is fastest where a statement has many rows: each is a message to another
// process and its answer.
func postgreSQL(o Options) *dialect {
	return &dialect{
		// The order of texts is that of their bytes, as in SQLite. What is updated stays in
		// its page, where no index has to know, if there is room.
		types:      strings.NewReplacer("{text}", `TEXT COLLATE "C"`, "{bytes}", "BYTEA", "{small}", "", "{updated}", "WITH (fillfactor = 80)"),
		lock:       "SELECT pg_advisory_xact_lock(7810768109)", // any number that others do not use
		begin:      "BEGIN",
		forUpdate:  " FOR UPDATE",
		skipLocked: " FOR UPDATE SKIP LOCKED",
		many:       true,
		timeout:    o.Timeout,
		check:      "SHOW transaction_isolation",
		want:       "read committed",
	}
}

// rebind writes the arguments of a statement as the database reads them.
func (d *dialect) rebind(text string) string {
	if !d.many {
		return text
	}
	if known, ok := d.rebound.Load(text); ok {
		return known.(string)
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	d.rebound.Store(text, b.String())
	return b.String()
}

// rows returns the text of n rows as a part of a statement, whose columns are t for text,
// b for bytes and i for integers. It is the same for each n if the database takes many.
func (d *dialect) rows(columns string, n int) string {
	if d.many {
		var list []string
		for _, c := range columns {
			list = append(list, "CAST(CAST(? AS text) AS "+map[rune]string{'t': "text", 'b': "bytea", 'i': "bigint"}[c]+"[])")
		}
		return "SELECT * FROM unnest(" + strings.Join(list, ", ") + ")"
	}
	row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	return "VALUES " + row + strings.Repeat(", "+row, n-1)
}

// expand writes the rows of a statement, all of them or one, into its text.
func (d *dialect) expand(text, columns string) string {
	if known, ok := d.expanded.Load(text); ok {
		return known.(string)
	}
	out := strings.Replace(text, "{rows}", d.rows(columns, 1), 1)
	d.expanded.Store(text, out)
	return out
}

// args returns the arguments for rows. With PostgreSQL a column is an array in the form
// of text, which every driver can send.
func (d *dialect) args(columns string, rows [][]any) []any {
	var out []any
	if !d.many {
		for _, r := range rows {
			out = append(out, r...)
		}
		return out
	}
	for i, c := range columns {
		b := []byte{'{'}
		for j, r := range rows {
			if j > 0 {
				b = append(b, ',')
			}
			switch c {
			case 'i':
				b = strconv.AppendInt(b, r[i].(int64), 10)
			case 'b':
				b = append(hex.AppendEncode(append(b, `"\\x`...), r[i].([]byte)), '"')
			default:
				b = append(b, '"')
				for _, c := range []byte(r[i].(string)) {
					if c == '"' || c == '\\' {
						b = append(b, '\\')
					}
					b = append(b, c)
				}
				b = append(b, '"')
			}
		}
		out = append(out, string(append(b, '}')))
	}
	return out
}

// migrations bring the tables from one version to the next: the first makes them. They are
// never changed, only added to.
var migrations = []string{`
CREATE TABLE jot_changes (one BIGINT PRIMARY KEY CHECK (one = 1), last BIGINT NOT NULL);
INSERT INTO jot_changes VALUES (1, 0);

CREATE TABLE jot_documents (
	kind {text} NOT NULL, id {text} NOT NULL, version BIGINT NOT NULL, body {bytes} NOT NULL, deleted BIGINT NOT NULL,
	PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX jot_documents_version ON jot_documents (version);
CREATE INDEX jot_documents_deleted ON jot_documents (deleted) WHERE deleted <> 0;

CREATE TABLE jot_grants (
	id {text} PRIMARY KEY NOT NULL, client {text} NOT NULL, subject {text} NOT NULL,
	key {text} NOT NULL, bound BIGINT NOT NULL, body {bytes} NOT NULL, seq BIGINT NOT NULL,
	created BIGINT NOT NULL, rotated BIGINT NOT NULL, expires BIGINT NOT NULL, until BIGINT NOT NULL,
	due BIGINT NOT NULL
) {updated};
CREATE INDEX jot_grants_client ON jot_grants (client, id);
CREATE INDEX jot_grants_subject ON jot_grants (subject, id);
CREATE INDEX jot_grants_due ON jot_grants (due);

CREATE TABLE jot_records (
	kind {text} NOT NULL, key {bytes} NOT NULL, body {bytes} NOT NULL, expires BIGINT NOT NULL,
	PRIMARY KEY (kind, key)
);
CREATE INDEX jot_records_expires ON jot_records (expires);

CREATE TABLE jot_uses (key {bytes} PRIMARY KEY NOT NULL, expires BIGINT NOT NULL) {small};
CREATE INDEX jot_uses_expires ON jot_uses (expires);

CREATE TABLE jot_revocations (
	sort {text} NOT NULL, id {text} NOT NULL, at BIGINT NOT NULL, expires BIGINT NOT NULL,
	PRIMARY KEY (sort, id)
) {small};
CREATE INDEX jot_revocations_expires ON jot_revocations (expires);
`}

// setUp migrates. SQLite waits for nobody, whatever busy_timeout says, while it changes the mode of a database that another
// process opens too, or the last one closes; and each driver has an error of its own for that, in the same words.
func (s *Store) setUp(ctx context.Context, patience time.Duration) error {
	for until := time.Now().Add(patience); ; {
		err := s.migrate(ctx)
		if err == nil || !strings.Contains(err.Error(), "database is locked") || time.Now().After(until) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// migrate makes the tables, or brings them up to date, a transaction for each version.
func (s *Store) migrate(ctx context.Context) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var got string
	if err := conn.QueryRowContext(ctx, s.d.check).Scan(&got); err != nil {
		return err
	}
	if got != s.d.want {
		return errSetup.With(fmt.Sprintf("%s is %q, not %q", s.d.check, got, s.d.want))
	}
	for {
		t := &session{d: s.d, conn: conn, ctx: ctx}
		done, err := s.step(t)
		if err = t.end(err); err != nil || done {
			return err
		}
	}
}

// step migrates to the next version, or reports that there is none.
func (s *Store) step(t *session) (done bool, err error) {
	if err := t.begin(); err != nil {
		return false, err
	}
	if s.d.lock != "" {
		if _, err := t.conn.ExecContext(t.ctx, s.d.lock); err != nil {
			return false, err
		}
	}
	if _, err := t.conn.ExecContext(t.ctx, "CREATE TABLE IF NOT EXISTS jot_schema (version BIGINT NOT NULL)"); err != nil {
		return false, err
	}
	var version int
	if err := t.conn.QueryRowContext(t.ctx, "SELECT COALESCE(MAX(version), 0) FROM jot_schema").Scan(&version); err != nil {
		return false, err
	}
	if version > len(migrations) {
		return false, errNewer.With(fmt.Sprintf("its version is %d, this program's %d: use that one, or restore a backup", version, len(migrations)))
	}
	if version == len(migrations) {
		return true, nil
	}
	for text := range strings.SplitSeq(strings.TrimSpace(migrations[version]), ";\n") {
		if _, err := t.conn.ExecContext(t.ctx, s.d.types.Replace(text)); err != nil {
			return false, fmt.Errorf("migration to version %d: %w", version+1, err)
		}
	}
	_, err = t.conn.ExecContext(t.ctx, "INSERT INTO jot_schema VALUES ("+strconv.Itoa(version+1)+")")
	return false, err
}
