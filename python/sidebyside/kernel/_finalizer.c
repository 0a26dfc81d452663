/* Lets reticulate free objects safely inside a Python process.
 *
 * Objects of Python: when R collects garbage, reticulate frees the Python objects
 * that R no longer uses. Before 1.31 it did so without holding Python's global lock
 * (https://github.com/rstudio/reticulate/issues/1236). rpy2 releases the lock
 * while R works, so the first collection that frees a Python object ends the
 * process: "PyThreadState_Get: the GIL is released". Debian 12 has reticulate
 * 1.28.
 *
 * The faulty function is a weak symbol. The function below has the same (mangled)
 * name. It is loaded before reticulate and with global visibility, so it replaces
 * the faulty one. It does what reticulate 1.31 does.
 *
 * Objects of R: Python's garbage collection may free them in any thread, for
 * example in the one that prints. reticulate then asks Python to free each of them
 * in the main thread (Py_AddPendingCall). Python keeps 32 such calls. If more are
 * needed, reticulate waits, but it holds Python's lock, so the main thread can never
 * make room: the kernel hangs. The list of calls below has no limit.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <stdlib.h>

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

typedef struct call {
    int (*function)(void *);
    void *argument;
    struct call *next;
} call;

static call *first = NULL, **end = &first;
static int asked = 0; /* whether Python will run make_calls() */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int make_calls(void *unused);

/* Not under our lock: Python may wait for its own here, and the main thread, which
 * holds that one, for ours. */
static void
ask(void)
{
    if (Py_AddPendingCall(make_calls, NULL) == 0)
        return;
    pthread_mutex_lock(&lock);
    asked = 0;
    pthread_mutex_unlock(&lock);
}

/* Python runs this in the main thread. */
static int
make_calls(void *unused)
{
    /* Only the calls that are here now: others may come as fast as these are made. */
    pthread_mutex_lock(&lock);
    call *now = first, **last = end;
    first = NULL;
    end = &first;
    asked = 0;
    pthread_mutex_unlock(&lock);
    int failed = 0;
    while (now != NULL && !failed) {
        call *next = now->next;
        failed = now->function(now->argument);
        free(now);
        now = next;
    }
    if (now != NULL) {
        /* An exception is set. Make the other calls after it has been raised. */
        pthread_mutex_lock(&lock);
        *last = first;
        if (first == NULL)
            end = last;
        first = now;
        int must_ask = !asked;
        asked = 1;
        pthread_mutex_unlock(&lock);
        if (must_ask)
            ask();
    }
    return failed;
}

/* Takes the place of Py_AddPendingCall() in reticulate. Any thread may call it,
 * with and without Python's lock. If Python has no room for make_calls(), the next
 * call asks again; reticulate makes one every half second. */
__attribute__((visibility("default"))) int
sidebyside_call_later(int (*function)(void *), void *argument)
{
    call *last = malloc(sizeof(call));
    if (last == NULL)
        return -1;
    *last = (call){function, argument, NULL};
    pthread_mutex_lock(&lock);
    *end = last;
    end = &last->next;
    int must_ask = !asked;
    asked = 1;
    pthread_mutex_unlock(&lock);
    if (must_ask)
        ask();
    return 0;
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
    .m_doc = "Lets reticulate free objects safely.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit__finalizer(void)
{
    return PyModule_Create(&definition);
}
