export { type Behaviour, type ServerQuery, startDnsServer, type TestDnsServer } from './dns-server.js';
export { type Call, createZone, type FailureMark, Zone, type ZoneData, type ZoneNode, type ZoneReply } from './zone.js';
