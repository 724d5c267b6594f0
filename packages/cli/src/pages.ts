/** Reads every page of a list; bounded, since a table of a million rows helps nobody. */
export interface Page<R> {
  readonly rows: readonly R[];
  readonly nextPageToken: string;
}

const pageSize = 1_000;
const mostRows = 100_000;

export async function allPages<R>(
  read: (page: { pageSize: number; pageToken: string }) => Promise<Page<R>>,
): Promise<R[]> {
  const rows: R[] = [];
  let pageToken = '';
  do {
    const page = await read({ pageSize, pageToken });
    rows.push(...page.rows);
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && rows.length < mostRows);
  return rows;
}
