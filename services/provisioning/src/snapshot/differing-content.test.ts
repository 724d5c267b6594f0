import { DifferingContent } from '@postern/proto/config/v1/snapshot';
import { expect, test } from 'vitest';
import { parseOperatorDocument } from '../operator/document.js';
import { compileSnapshot } from './compile.js';

const { UNSPECIFIED, SPLIT, TOGETHER } = DifferingContent;

test.each([
  ['', SPLIT, [UNSPECIFIED, UNSPECIFIED]],
  ['differingContent: split', SPLIT, [UNSPECIFIED, UNSPECIFIED]],
  ['differingContent: together\ntenants: [{ name: acme, differingContent: split }]', TOGETHER, [SPLIT, UNSPECIFIED]],
  ['tenants: [{ name: other, differingContent: together }]', SPLIT, [UNSPECIFIED, TOGETHER]],
])('%s', (text, all, tenants) => {
  const rows = ['acme', 'other'].map((name) => ({
    ...{ name, state: 'active', weight: 1, records_sessions: false },
    ...{ message_limit: null, user_message_limit: null },
  }));
  const none = { domains: [], oldest_domain: null, routes: [], rules: [], check_settings: [], users_set_checks: false };
  const document = parseOperatorDocument([{ file: 'op.yaml', text }]);
  const snapshot = compileSnapshot(document, 'mx.test', { ...none, tenants: rows });
  expect(snapshot.differingContent).toBe(all);
  expect(snapshot.tenants.map(({ differingContent }) => differingContent)).toEqual(tenants);
});
