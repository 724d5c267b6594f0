/** How each function of a condition is called, for hints where it was called otherwise. Only for people: what may be called is in the walk. */
const uses: Readonly<Record<string, string>> = {
  size: 'size(list) or text.size()',
  string: 'string(number)',
  int: 'int("7")',
  double: 'double("7.5")',
  timestamp: 'timestamp("2026-01-31T00:00:00Z")',
  duration: 'duration("5m")',
  startsWith: 'text.startsWith("a")',
  endsWith: 'text.endsWith("z")',
  contains: 'text.contains("a")',
  lowerAscii: 'text.lowerAscii()',
  upperAscii: 'text.upperAscii()',
  trim: 'text.trim()',
  indexOf: 'text.indexOf("a")',
  lastIndexOf: 'text.lastIndexOf("a")',
  substring: 'text.substring(0, 5)',
  split: 'text.split(",")',
  join: 'list.join(",")',
  rx: 'text.rx("^a+$")',
  inNetwork: 'client.address.inNetwork("192.0.2.0/24")',
  inDomain: 'sender.domain.inDomain("example.test")',
  first: 'headers.first("Subject")',
  values: 'headers.values("Received")',
  shown: 'headers.shown("From")',
  has: 'headers.has("Subject")',
  count: 'headers.count("Received")',
};

/** From what the checker says of a call, `... overload for 'string.inDomain(int)'`. */
export function useOf(summary: string): string | undefined {
  const name = /overload for '(?:[\w.<>]+\.)?(\w+)\(/.exec(summary)?.[1] ?? '';
  return Object.hasOwn(uses, name) ? uses[name] : undefined;
}
