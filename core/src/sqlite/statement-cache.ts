const CAPACITY = 64

/**
 * What is worth keeping, by the method that runs it. A PRAGMA is not: some act while they are prepared. Nor is
 * RETURNING, whose statement stays open, and with it the transaction, until all its rows are read.
 */
const REUSABLE = {
  read: /^\s*(?:SELECT|VALUES|WITH)\b/i,
  write: /^\s*(?:DELETE|INSERT|REPLACE|UPDATE)\b(?![\s\S]*\bRETURNING\b)/i,
}

/** Prepared statements by their SQL; the least recently used one makes room for a new one. */
export class StatementCache<S> {
  private readonly statements = new Map<string, S>()

  constructor(private readonly finalize?: (statement: S) => void) {}

  static accepts(sql: string, kind: keyof typeof REUSABLE): boolean {
    return REUSABLE[kind].test(sql)
  }

  clear(): void {
    for (const sql of this.statements.keys()) this.delete(sql)
  }

  delete(sql: string): void {
    const statement = this.statements.get(sql)
    if (statement === undefined) return
    this.statements.delete(sql)
    this.finalize?.(statement)
  }

  get(sql: string): S | undefined {
    const statement = this.statements.get(sql)
    if (statement !== undefined) {
      this.statements.delete(sql)
      this.statements.set(sql, statement)
    }

    return statement
  }

  set(sql: string, statement: S): void {
    const [oldest] = this.statements.keys()
    if (oldest !== undefined && this.statements.size >= CAPACITY) this.delete(oldest)
    this.statements.set(sql, statement)
  }
}
