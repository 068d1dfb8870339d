import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import '@mantine/spotlight/styles.css';
import './ui/tokens.css';
import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';
import { noticeBoard } from './frame/noticeBoard.ts';
import { attach } from './state/attach.ts';
import { installNotices } from './state/notices.ts';
import { createWorkbench } from './state/workbench.ts';

// Scroll locking makes a style element too, and asks for the nonce under this name.
const nonce = document.querySelector('meta[name="style-nonce"]')?.getAttribute('content');
Object.assign(globalThis, { __webpack_nonce__: nonce });

const workbench = createWorkbench(window.dyno, window.localStorage);
installNotices(noticeBoard);
attach(workbench);

const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<App workbench={workbench} />);
