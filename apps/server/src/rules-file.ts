import { readFile } from 'node:fs/promises'
import { TreeError, checkIndexDefinitions, checkKey } from '@elkyn/tree'
import type { IndexDefinitions } from '@elkyn/tree'
import { CommandError, systemErrorCode } from './command-error.ts'
import { fileReason } from './file-reason.ts'
import { RulesError, lineAndColumn, parseRulesJson } from './rules-json.ts'
import type { RulesMember, RulesValue } from './rules-json.ts'

/**
 * Reads the indexes that a rules file declares. This version judges no rule, so that it takes no file
 * that keeps anybody from anything.
 *
 * @throws {CommandError} `usage`, with line and column of what is wrong.
 */
export async function readRulesFile(file: string): Promise<IndexDefinitions> {
  const text = await readText(file)
  try {
    return indexesOf(text)
  } catch (error) {
    if (!(error instanceof RulesError)) throw error
    const place = lineAndColumn(text, error.at)
    throw new CommandError(
      'usage',
      `Cannot use the rules in "${file}": ${place}: ${error.message}`,
      {
        cause: error,
        hint: error instanceof UnenforcedError ? error.hint : undefined,
      },
    )
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = systemErrorCode(error)
    if (code === undefined) throw error
    const reason = fileReason(code, 'read')
    throw new CommandError('usage', `Cannot read the rules "${file}": ${reason}`, { cause: error })
  }
}

/** A rule that would not be kept. */
class UnenforcedError extends RulesError {
  readonly hint = `This version does not evaluate rules: anyone who reaches the server can read and write.
A file that says so has ".read": true and ".write": true at its top, no other ".read" or ".write",
and indexes in ".indexOn".`
}

/**
 * The indexes of the text of a rules file.
 * @throws {RulesError} for what is no rules file, and for a rule that would not be kept.
 */
export function indexesOf(text: string): IndexDefinitions {
  const top = parseRulesJson(text)
  checkNames(top)
  const rules = memberOf(top, 'rules')
  if (top.kind !== 'object' || top.members.length !== 1 || rules?.kind !== 'object') {
    throw new RulesError(
      top.at,
      `The file has to be an object with one member, "rules", an object.`,
    )
  }
  for (const name of ['.read', '.write']) {
    // Without, it is denied to everybody.
    if (memberOf(rules, name) !== undefined) continue
    throw new UnenforcedError(rules.at, `The rules without "${name}" deny it to everybody.`)
  }
  const indexes: Record<string, readonly string[]> = {}
  collect(rules, [], indexes)
  return indexes
}

function memberOf(value: RulesValue, name: string): RulesValue | undefined {
  if (value.kind !== 'object') return undefined
  return value.members.find((member) => member.name === name)?.value
}

function collect(
  node: RulesValue,
  place: readonly string[],
  indexes: Record<string, readonly string[]>,
): void {
  if (node.kind !== 'object') throw new RulesError(node.at, "Expected '{'.")
  checkNames(node)
  const wildcards = node.members.filter(({ name }) => name.startsWith('$'))
  const [first, second] = wildcards
  if (first !== undefined && second !== undefined) {
    throw new RulesError(
      second.at,
      `Cannot have multiple default rules ('${first.name}' and '${second.name}').`,
    )
  }
  for (const member of node.members) {
    if (member.name === '.indexOn') addIndexes(member.value, place, indexes)
    else if (ruleNames.has(member.name)) checkRule(member)
    else collect(checkedChild(member, place).value, [...place, member.name], indexes)
  }
}

// Which one of two counts is for each parser of JSON to say. Whoever wrote both means both.
function checkNames(node: RulesValue): void {
  if (node.kind !== 'object') return
  const names = new Set<string>()
  for (const { name, at } of node.members) {
    if (names.has(name)) throw new RulesError(at, `The name '${name}' is given twice.`)
    names.add(name)
  }
}

const ruleNames: ReadonlySet<string> = new Set(['.read', '.write', '.validate'])

function checkRule({ name, at, value }: RulesMember): void {
  const isRule =
    value.kind === 'string' || (value.kind === 'other' && typeof value.value === 'boolean')
  if (!isRule) {
    throw new RulesError(
      value.at,
      "Invalid rule expression.  Expected 'true', 'false', or an expression string.",
    )
  }
  if (String(value.value).trim() === 'true') return
  throw new UnenforcedError(at, `The rule "${name}" would not be kept.`)
}

function checkedChild(member: RulesMember, place: readonly string[]): RulesMember {
  const { name, at, value } = member
  if (name.startsWith('.') && value.kind !== 'object')
    throw new RulesError(value.at, "Expected '{'.")
  const isWildcard = name.startsWith('$')
  if (isWildcard && place.includes(name)) {
    throw new RulesError(at, `The name '${name}' stands for another key above already.`)
  }
  try {
    checkKey(isWildcard ? name.slice(1) : name)
  } catch {
    throw new RulesError(at, `String can't contain ".", "#", "$", "/", "[", or "]"`)
  }
  return member
}

// Firebase indexes priorities by itself, and bears it where a file says so.
const specialFields: ReadonlyMap<string, string> = new Map([
  ['.value', '$value'],
  ['.priority', '$priority'],
])

function addIndexes(
  value: RulesValue,
  place: readonly string[],
  indexes: Record<string, readonly string[]>,
): void {
  const items = value.kind === 'array' ? value.items : [value]
  const fields: string[] = []
  for (const item of items) {
    if (item.kind !== 'string') {
      throw new RulesError(
        item.at,
        'Invalid indexOn expression. Must be either a string or an array of strings',
      )
    }
    fields.push(specialFields.get(item.value) ?? item.value)
  }
  // In the definition of an index it would mean every key, which in a rules file only `$name` does.
  if (place.includes('*')) throw new RulesError(value.at, "There are no indexes below the key '*'.")
  const path = `/${place.join('/')}`
  try {
    checkIndexDefinitions({ [path]: fields })
  } catch (error) {
    if (!(error instanceof TreeError || error instanceof RangeError)) throw error
    throw new RulesError(value.at, `Invalid indexOn expression: ${error.message}`)
  }
  indexes[path] = fields
}
