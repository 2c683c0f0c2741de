import { mount } from 'svelte';
import Gate from './Gate.svelte';
import './app.css';

const target = document.getElementById('app');
if (target) mount(Gate, { target });
