/* The library is a Python module too, so that setuptools builds it and finds a place for it. */
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

/* Missing where ONNX Runtime loads the library into a process without Python. */
#pragma weak PyModuleDef_Init

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_library", "Operators of ai.radixfmt for ONNX Runtime.", 0, NULL, NULL,
    NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__library(void) { return PyModuleDef_Init(&definition); }
