// Logs in to the emulator with jsforce in both ways, describes, queries, and prints what it counted as JSON.
import jsforce from 'jsforce';

const version = '62.0';
const soql = 'SELECT Id, Name FROM Account';
const {
  SF_INSTANCE_URL: url,
  SF_USERNAME: username,
  SF_PASSWORD: password,
  SF_TOKEN: token,
  SF_CLIENT_ID: clientId,
  SF_CLIENT_SECRET: clientSecret,
} = process.env;

const bySoap = new jsforce.Connection({ loginUrl: url, version });
await bySoap.login(username, password + token);

const byClient = new jsforce.Connection({
  instanceUrl: url,
  oauth2: { loginUrl: url, clientId, clientSecret },
  version,
});
await byClient.authorize({ grant_type: 'client_credentials' });

const described = await bySoap.describe('Account');
const rest = await bySoap.query(soql, { autoFetch: true, maxFetch: 1e6 });
bySoap.bulk2.pollInterval = 50;
bySoap.bulk2.pollTimeout = 600000;
const bulk = await (await bySoap.bulk2.query(soql)).toArray();
bySoap.bulk.pollInterval = 50;
bySoap.bulk.pollTimeout = 600000;
const classic = await (await bySoap.bulk.query(soql)).toArray();
// The statement's text decides what the batch says; jsforce gives it as the error's.
const refused = await bySoap.bulk.query('SELECT Nope FROM Account').then(
  () => 'not refused',
  (error) => error.message,
);
const expired = new jsforce.Connection({ instanceUrl: url, accessToken: 'dead', version });
const dead = await expired.bulk.query(soql).then(
  () => 'not refused',
  (error) => error.errorCode ?? error.name,
);
const count = await byClient.query('SELECT COUNT() FROM Account');

console.log(
  JSON.stringify({
    describe_fields: described.fields.length,
    rest_query: rest.records.length,
    bulk2_query: bulk.length,
    bulk1_query: classic.length,
    bulk1_ids: new Set(classic.map((record) => record.Id)).size,
    bulk1_failure: refused,
    bulk1_dead_session: dead,
    client_credentials_count: count.totalSize,
  }),
);
