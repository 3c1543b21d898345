/** One challenge of a 401: which proof the registry asks for. */
export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service: string | undefined };

/** Repositories of one scope that are asked for: there is one, or two where content is mounted from another. */
const MAX_SCOPES = 4;

const MAX_CHALLENGE_LENGTH = 8192;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const SPACE = /[ \t]*/y;

/**
 * Parses `WWW-Authenticate` (RFC 9110 section 11.6.1), several challenges in one header allowed. Schemes that are
 * neither Basic nor Bearer are left out, and so is a Bearer challenge without realm. Answers `undefined` when the
 * header is outside the grammar.
 */
export function parseChallenges(header: string): readonly Challenge[] | undefined {
  return readChallenges(header)?.flatMap(({ scheme, parameters }) => toChallenge(scheme, parameters) ?? []);
}

/** The repositories in the scope of a Bearer challenge, whatever it wants to do with them (distribution `docs/content/spec/auth/scope.md`). */
export function challengedRepositories(header: string): readonly string[] {
  const scope =
    readChallenges(header)
      ?.find(({ scheme }) => scheme === 'bearer')
      ?.parameters.get('scope') ?? '';
  const names = scope
    .split(' ')
    .flatMap((one) => /^repository(?:\([^()]*\))?:([a-z0-9._/-]{1,255}):/.exec(one)?.[1] ?? []);
  return [...new Set(names)].slice(0, MAX_SCOPES);
}

interface RawChallenge {
  /** In lower case. */
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

function readChallenges(header: string): readonly RawChallenge[] | undefined {
  if (header.length > MAX_CHALLENGE_LENGTH) return undefined;
  const found: RawChallenge[] = [];
  const cursor = new Cursor(header);
  cursor.skipSeparators();
  while (!cursor.atEnd()) {
    const scheme = cursor.read(TOKEN)?.[0];
    if (scheme === undefined) return undefined;
    const parameters = readParameters(cursor);
    if (parameters === undefined) return undefined;
    found.push({ scheme: scheme.toLowerCase(), parameters });
  }
  return found;
}

function toChallenge(scheme: string, parameters: ReadonlyMap<string, string>): Challenge | undefined {
  if (scheme === 'basic') return { scheme };
  const realm = parameters.get('realm');
  if (scheme !== 'bearer' || realm === undefined) return undefined;
  return { scheme, realm, service: parameters.get('service') };
}

/** Reads `key=value` pairs up to the next scheme; a key that comes twice is outside the grammar. */
function readParameters(cursor: Cursor): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>();
  for (;;) {
    cursor.skipSeparators();
    const start = cursor.at;
    const key = cursor.read(TOKEN)?.[0].toLowerCase();
    if (key === undefined) return cursor.atEnd() ? parameters : undefined;
    cursor.read(SPACE);
    if (!cursor.take('=')) {
      // A name without a value is the scheme of the next challenge.
      cursor.at = start;
      return parameters;
    }
    cursor.read(SPACE);
    const quoted = cursor.read(QUOTED)?.[1]?.replaceAll(/\\(.)/g, '$1');
    const value = quoted ?? cursor.read(TOKEN)?.[0];
    if (value === undefined || parameters.has(key)) return undefined;
    parameters.set(key, value);
    cursor.read(SPACE);
    if (!cursor.atEnd() && !cursor.sees(',')) return undefined;
  }
}

class Cursor {
  at = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    return this.at >= this.#text.length;
  }

  sees(char: string): boolean {
    return this.#text.charAt(this.at) === char;
  }

  take(char: string): boolean {
    if (!this.sees(char)) return false;
    this.at++;
    return true;
  }

  read(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.at += match[0].length;
    return match;
  }

  skipSeparators(): void {
    while (/[ \t,]/.test(this.#text.charAt(this.at))) this.at++;
  }
}
