// Logs in with jsforce by authorization code and PKCE, walking the emulator's pages as a browser without scripts would;
// then lets it refresh a dead session, and revoke. Prints what it found as JSON.
import jsforce from 'jsforce';

const {
  SF_LOGIN_URL: loginUrl,
  SF_USERNAME: username,
  SF_PASSWORD: password,
  SF_CLIENT_ID: clientId,
  SF_CLIENT_SECRET: clientSecret,
} = process.env;
const redirectUri = 'http://localhost:1717/OauthRedirect';
const version = '62.0';
let cookie = '';

async function ask(url, form) {
  const answer = await fetch(new URL(url, loginUrl), {
    method: form ? 'POST' : 'GET',
    body: form && new URLSearchParams(form),
    headers: { cookie },
    redirect: 'manual',
  });
  cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? cookie;
  const location = answer.headers.get('location');
  if (!location) return { text: await answer.text() };
  const next = new URL(location, loginUrl);
  return next.href.startsWith(redirectUri) ? { callback: next } : ask(next);
}

const hidden = (text, name) =>
  text.split(`name="${name}" value="`)[1].split('"')[0].replaceAll('&amp;', '&');

const oauth2 = new jsforce.OAuth2({ loginUrl, clientId, clientSecret, redirectUri, useVerifier: true });
const login = await ask(oauth2.getAuthorizationUrl({ scope: 'api id refresh_token', state: 'ü=&' }));
const approval = await ask('/', { startURL: hidden(login.text, 'startURL'), username, pw: password, Login: 'Log In' });
const { callback } = await ask('/setup/secur/RemoteAccessAuthorizationPage.apexp', {
  source: hidden(approval.text, 'source'),
  save: ' Allow ',
});

const connection = new jsforce.Connection({ oauth2, version });
await connection.authorize(callback.searchParams.get('code'));
const identity = await connection.identity();
const before = (await connection.query('SELECT COUNT() FROM Account')).totalSize;

let refreshed = 0;
connection.on('refresh', () => (refreshed += 1));
connection.accessToken = 'dead';
const after = (await connection.query('SELECT COUNT() FROM Account')).totalSize;

const { accessToken, refreshToken, instanceUrl } = connection;
await oauth2.revokeToken(refreshToken);
const session = new jsforce.Connection({ instanceUrl, accessToken, version });
const ended = await session.query('SELECT COUNT() FROM Account').then(
  () => 'alive',
  (error) => error.errorCode,
);
const refused = await oauth2.refreshToken(refreshToken).then(
  () => 'alive',
  (error) => `${error.name}: ${error.message}`,
);
const again = await oauth2.revokeToken(refreshToken).then(
  () => 'known',
  (error) => error.name,
);

console.log(
  JSON.stringify({
    state: callback.searchParams.get('state'),
    instance_url: instanceUrl,
    username: identity.username,
    organization_id: identity.organization_id,
    count: before,
    count_after_refresh: after,
    refreshed,
    ended,
    refused,
    again,
  }),
);
