/* Lets reticulate before 1.31 run inside a Python process.
 *
 * When R collects garbage, reticulate frees the Python objects that R no longer
 * uses. Before 1.31 it did so without holding Python's global lock
 * (https://github.com/rstudio/reticulate/issues/1236). rpy2 releases the lock
 * while R works, so the first collection that frees a Python object ends the
 * process: "PyThreadState_Get: the GIL is released". Debian 12 has reticulate
 * 1.28.
 *
 * The faulty function is a weak symbol. The function below has the same (mangled)
 * name. It is loaded before reticulate and with global visibility, so it replaces
 * the faulty one. It does what reticulate 1.31 does.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

typedef void *(*external_pointer_address)(void *);

static external_pointer_address address_of = NULL;

/* python_object_finalize(SEXPREC *) */
__attribute__((visibility("default"))) void
_Z22python_object_finalizeP7SEXPREC(void *object)
{
    if (address_of == NULL || !Py_IsInitialized())
        return;
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *held = (PyObject *)address_of(object);
    if (held != NULL)
        Py_DecRef(held);
    PyGILState_Release(state);
}

static PyObject *
use(PyObject *module, PyObject *argument)
{
    void *address = PyLong_AsVoidPtr(argument);
    if (address == NULL && PyErr_Occurred())
        return NULL;
    address_of = (external_pointer_address)address;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"use", use, METH_O,
     "use(address): set the address of R_ExternalPtrAddr in this process."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_finalizer",
    .m_doc = "Lets reticulate before 1.31 free Python objects safely.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__finalizer(void)
{
    return PyModule_Create(&definition);
}
