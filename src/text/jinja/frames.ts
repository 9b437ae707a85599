// Reference: Jinja2, src/jinja2/idtracking.py.
import type { Expression, Frame, Statement, Target } from './ast.ts';
import { Str } from './str.ts';

/**
 * Resolves variables as Jinja2's compiler does. A frame whose first use of a name is an assignment has its own
 * variable of that name from its beginning: a loop or macro inside it that reads the name before it is set finds it
 * undefined, even if the template has an argument of that name. Fills `unset` of all frames.
 */
export function findUnset(root: Frame): void {
  analyze({ frame: root, declared: [], reads: [] }, undefined);
}

/** Names that statements read, including those of nested frames. */
export function namesIn(body: readonly Statement[]): Set<string> {
  return new Set(
    body.flatMap((statement) => {
      const { reads, branches, frames } = partsOf(statement);
      return [
        ...namesRead(reads),
        ...branches.flatMap((branch) => [...namesIn(branch)]),
        ...frames.flatMap((inner) => [...namesRead(inner.reads), ...namesIn(inner.frame.body)]),
      ];
    }),
  );
}

/** A frame, the names declared at its beginning, and what it reads besides its body. */
interface InnerFrame {
  frame: Frame;
  declared: readonly string[];
  reads: readonly Expression[];
}

interface Parts {
  reads: readonly Expression[];
  sets: readonly Target[];
  branches: readonly Statement[][];
  frames: readonly InnerFrame[];
}

function partsOf(statement: Statement): Parts {
  const parts: Parts = { reads: [], sets: [], branches: [], frames: [] };
  const own = (frame: Frame, declared: readonly string[] = [], reads: readonly Expression[] = []) => ({
    frame,
    declared,
    reads,
  });
  switch (statement.kind) {
    case 'output':
      return {
        ...parts,
        reads: statement.items.filter((item): item is Expression => !(item instanceof Str)),
      };
    case 'if': {
      const { branches, otherwise } = statement;
      return {
        ...parts,
        reads: branches.map(({ test }) => test),
        branches: [...branches.map(({ body }) => body), otherwise],
      };
    }
    case 'for': {
      const { target, over, test, frame, otherwise } = statement;
      const names = namesOf(target);
      const tested = test ? [own({ body: [], unset: [] }, names, [test])] : [];
      return {
        ...parts,
        reads: [over],
        frames: [own(frame, [...names, 'loop']), ...tested, ...(otherwise ? [own(otherwise)] : [])],
      };
    }
    case 'set':
      return { ...parts, reads: [statement.value], sets: [statement.target] };
    case 'setBlock': {
      const { target, filter, frame } = statement;
      return { ...parts, sets: [target], frames: [own(frame, [], filter && [filter])] };
    }
    case 'filter':
      return { ...parts, reads: [statement.filter], frames: [own(statement.frame)] };
    case 'with': {
      const { targets, values, frame } = statement;
      return { ...parts, reads: values, frames: [own(frame, targets.flatMap(namesOf))] };
    }
    case 'macro':
    case 'call': {
      const { parameters, implicit } = statement.signature;
      const declared = [...parameters.map(({ name }) => name), ...implicit];
      const standards = parameters.flatMap(({ standard }) => standard ?? []);
      const frames = [own(statement.frame, declared, standards)];
      if (statement.kind === 'call') {
        return { ...parts, reads: [statement.call], frames };
      }
      return { ...parts, sets: [{ kind: 'name', name: statement.name }], frames };
    }
    case 'generation':
      return { ...parts, frames: [own(statement.frame)] };
    case 'break':
    case 'continue':
      return parts;
  }
}

/** The names that a frame knows, those that it sets, and those that are undefined at its beginning. */
class Names {
  readonly parent: Names | undefined;
  readonly known: Set<string>;
  readonly set: Set<string>;
  readonly unset: Set<string>;

  constructor(parent: Names | undefined, { known, set, unset }: Partial<Names> = {}) {
    this.parent = parent;
    this.known = new Set(known);
    this.set = new Set(set);
    this.unset = new Set(unset);
  }

  knows(name: string): boolean {
    return this.known.has(name) || (this.parent?.knows(name) ?? false);
  }

  read(expressions: readonly Expression[]): void {
    for (const name of namesRead(expressions)) {
      if (!this.knows(name)) {
        this.known.add(name);
      }
    }
  }

  store(target: Target): void {
    if (target.kind === 'attribute' && !this.knows(target.of)) {
      this.known.add(target.of);
    }
    for (const name of namesOf(target)) {
      this.set.add(name);
      if (!this.known.has(name) && !this.parent?.knows(name)) {
        this.unset.add(name);
      }
      this.known.add(name);
    }
  }

  /** If only some branches set a name, it starts with its outer value. */
  join(branches: readonly Names[]): void {
    const before = new Set(this.set);
    for (const branch of branches) {
      for (const name of branch.known) {
        this.known.add(name);
      }
      for (const name of branch.set) {
        this.set.add(name);
      }
      for (const name of branch.unset) {
        this.unset.add(name);
      }
    }
    for (const name of this.set) {
      if (!before.has(name)) {
        this.unset.delete(name);
      }
    }
  }
}

function analyze({ frame, declared, reads }: InnerFrame, parent: Names | undefined): void {
  const names = new Names(parent, { known: new Set(declared), set: new Set(declared) });
  const inner: InnerFrame[] = [];
  names.read(reads);
  walk(frame.body, names, inner);
  frame.unset = [...names.unset];
  for (const one of inner) {
    analyze(one, names);
  }
}

function walk(body: readonly Statement[], names: Names, inner: InnerFrame[]): void {
  for (const statement of body) {
    const { reads, sets, branches, frames } = partsOf(statement);
    names.read(reads);
    for (const target of sets) {
      names.store(target);
    }
    inner.push(...frames);
    if (branches.length === 0) {
      continue;
    }
    const copies = branches.map((branch) => {
      const copy = new Names(names.parent, names);
      walk(branch, copy, inner);
      return copy;
    });
    names.join(copies);
  }
}

/** The names in expressions; apart from names, the parts of expressions are expressions throughout. */
function namesRead(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) {
    return [];
  }
  if ('kind' in part && part.kind === 'name') {
    return [(part as Expression & { kind: 'name' }).name];
  }
  return Object.values(part).flatMap(namesRead);
}

function namesOf(target: Target): string[] {
  if (target.kind === 'tuple') {
    return target.items.flatMap(namesOf);
  }
  return target.kind === 'name' ? [target.name] : [];
}
